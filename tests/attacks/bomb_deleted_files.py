# verdict: ok | out_of_memory | file_limit ; what: fills the disk with files that have no name any more
import os

written_bytes = 0
kept = []
try:
    while written_bytes < 1 << 30:
        kept.append(os.open("file", os.O_CREAT | os.O_WRONLY))
        os.unlink("file")
        for _ in range(4):
            written_bytes += os.write(kept[-1], b"x" * (1 << 20))
    print("ESCAPED: 1 GiB of files without a name")
except OSError:
    print("contained")
