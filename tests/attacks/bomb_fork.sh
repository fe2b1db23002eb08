# verdict: timed_out | out_of_memory | process_limit | runtime_error ; what: the shell's own fork bomb ; limits: cpu_seconds=1, wall_seconds=2
bomb() {
    bomb | bomb &
    bomb
}
bomb
