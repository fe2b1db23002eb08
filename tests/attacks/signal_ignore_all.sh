# verdict: timed_out ; what: a shell that ignores every signal, and computes for ever ; limits: cpu_seconds=1
trap '' HUP INT QUIT TERM USR1 USR2 ALRM XCPU PIPE
while :; do :; done
