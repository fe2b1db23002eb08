# verdict: runtime_error | out_of_memory ; what: claims on stderr that it had no memory
import sys

sys.stderr.write("MemoryError\n")
raise SystemExit(1)
