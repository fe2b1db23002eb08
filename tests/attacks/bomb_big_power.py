# verdict: timed_out | out_of_memory ; what: a number too long to compute, in one call that no signal handler interrupts ; limits: cpu_seconds=1
import signal

signal.signal(signal.SIGXCPU, lambda *_: None)
number = 7 ** (10**9)
print("contained")
