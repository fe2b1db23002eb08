# verdict: timed_out ; what: burns CPU in eight threads at once, outside of the interpreter's lock ; limits: cpu_seconds=1, wall_seconds=6
import hashlib
import threading


def burn():
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2_000_000_000)


for _ in range(7):
    threading.Thread(target=burn, daemon=True).start()
burn()
