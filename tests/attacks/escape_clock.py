# verdict: ok ; what: sets the clock of the machine, to the time that it has
import time

try:
    time.clock_settime_ns(time.CLOCK_REALTIME, time.clock_gettime_ns(time.CLOCK_REALTIME))
    print("ESCAPED: it may set the clock")
except OSError:
    print("contained")
