# verdict: timed_out ; what: blocks every signal, and computes for ever in two threads ; limits: cpu_seconds=1
import signal
import threading


def spin():
    while True:
        pass


signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
threading.Thread(target=spin, daemon=True).start()
spin()
