# verdict: runtime_error ; what: ends by an exception that few catch, with a chain and a text that break


class Own(BaseException):
    def __str__(self):
        raise ValueError("no text")


error = Own()
error.__cause__ = error.__context__ = Own()
raise error
