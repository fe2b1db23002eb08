# verdict: runtime_error | ok ; what: exits with a number that fits in no exit code; nothing is on stdout
raise SystemExit(2**70)
