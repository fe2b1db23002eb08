# verdict: ok | out_of_memory | file_limit ; what: fills the disk with files of 1 MiB
import errno

written_bytes = 0
try:
    while written_bytes < 1 << 30:
        with open(f"file{written_bytes}", "wb", buffering=0) as file:
            written_bytes += file.write(b"x" * (1 << 20))
    print("ESCAPED: 1 GiB of files")
except OSError as error:
    print(errno.errorcode[error.errno], "after", written_bytes, "bytes")
    print("contained")
