# verdict: ok | file_limit | out_of_memory ; what: writes one file that never ends
written_bytes = 0
try:
    with open("big", "wb", buffering=0) as file:
        while written_bytes < 64 << 20:
            written_bytes += file.write(b"x" * (1 << 20))
    print("ESCAPED: a file of 64 MiB")
except OSError:
    print("contained")
