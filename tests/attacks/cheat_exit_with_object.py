# verdict: runtime_error ; what: exits with an object that cannot be shown


class Odd:
    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


raise SystemExit(Odd())
