# verdict: ok ; what: raises and exits in destructors, when the interpreter is half gone


class Last:
    def __del__(self):
        raise SystemExit(3)


class Ring:
    def __init__(self):
        self.ring = self

    def __del__(self):
        raise ValueError("too late")


last, ring = Last(), Ring()
print("contained")
