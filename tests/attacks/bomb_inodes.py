# verdict: ok | out_of_memory ; what: makes empty files for ever
import os

num_files = 0
try:
    while num_files < 100_000:
        os.close(os.open(f"file{num_files}", os.O_CREAT | os.O_WRONLY))
        num_files += 1
    print(f"ESCAPED: {num_files} files")
except OSError:
    print("contained")
