# verdict: runtime_error | out_of_memory ; what: overruns the C stack through a comparison that compares itself
import sys

sys.setrecursionlimit(2**31 - 1)


class Endless:
    def __lt__(self, other):
        return sorted([self, Endless()])[0] is self


sorted([Endless(), Endless()])
