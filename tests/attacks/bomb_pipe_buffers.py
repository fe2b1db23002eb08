# verdict: out_of_memory | ok | runtime_error ; what: fills pipes, each made as large as the kernel allows
import fcntl
import os

kept_bytes = 0
try:
    while kept_bytes < 256 << 20:
        _, inside = os.pipe()
        try:
            fcntl.fcntl(inside, fcntl.F_SETPIPE_SZ, 1 << 20)
        except OSError:
            pass
        os.set_blocking(inside, False)
        kept_bytes += os.write(inside, b"x" * (1 << 20))
    print("ESCAPED: 256 MiB in pipes")
except OSError:
    print("contained")
