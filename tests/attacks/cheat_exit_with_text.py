# verdict: runtime_error ; what: exits with a text instead of a number
raise SystemExit("ok")
