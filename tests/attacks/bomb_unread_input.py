# verdict: timed_out ; what: waits for input that never comes, from a pipe of its own ; limits: cpu_seconds=1, wall_seconds=1
import os

outside, _inside = os.pipe()
os.read(outside, 1)
