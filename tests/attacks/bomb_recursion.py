# verdict: out_of_memory | runtime_error | timed_out ; what: recurses without an end
import sys

sys.setrecursionlimit(2**31 - 1)


def deeper():
    deeper()


deeper()
