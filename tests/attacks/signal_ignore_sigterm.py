# verdict: timed_out ; what: ignores SIGTERM and SIGXCPU, and computes for ever ; limits: cpu_seconds=1
import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGXCPU, signal.SIG_IGN)
while True:
    pass
