# verdict: ok | out_of_memory | file_limit ; what: fills /dev/shm with files of 1 MiB
written_bytes = 0
try:
    while written_bytes < 1 << 30:
        with open(f"/dev/shm/file{written_bytes}", "wb", buffering=0) as file:
            written_bytes += file.write(b"x" * (1 << 20))
    print("ESCAPED: 1 GiB in /dev/shm")
except OSError:
    print("contained")
