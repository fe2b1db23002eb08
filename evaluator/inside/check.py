"""Tells what a test's code calls, and whether it holds for given results; runs no candidate.

The reference and the test come from the suite. The candidate runs elsewhere, on the arguments that
were told, and only plain data of what it returned comes in here.
"""

import copy
import random

_SEED = 20240801
_MOST_CALLS = 20_000


class _Needed(BaseException):
    """The test calls the candidate with arguments that no result is known for."""


def record(program, test, entry_point, candidate):
    """Run the test on the program itself. Returns its calls: (args, kwargs, result, args after)."""
    names = _loaded(program)
    function = eval(entry_point, names)
    calls = []

    def proxy(*args, **kwargs):
        if len(calls) >= _MOST_CALLS:
            raise OverflowError("the test makes too many calls")
        before = copy.deepcopy((args, kwargs))
        state = random.getstate()
        result = function(*args, **kwargs)
        random.setstate(state)
        calls.append((*before, copy.deepcopy(result), copy.deepcopy((args, kwargs))))
        return result

    _run(test, names, proxy, candidate)
    return calls


def replay(program, test, entry_point, candidate, known):
    """Run the test on known results. Returns ("pass", None), ("fail", message) or ("need", (args, kwargs)).

    known: (args, kwargs, has a value, the bytes of (value, arguments after)), bytes as the
    candidate's process wrote them: `decode`, of the file before this one, expects anything in them.
    """
    names = _loaded(program)
    needed = []

    def proxy(*args, **kwargs):
        for known_args, known_kwargs, has_value, content in known:
            if known_args == args and known_kwargs == kwargs:
                if not has_value:
                    raise RuntimeError("the candidate raised")
                value, _ = decode(content)
                return value
        needed.append((args, kwargs))
        raise _Needed

    try:
        _run(test, names, proxy, candidate)
    except _Needed:
        return "need", needed[0]
    except Exception as error:
        return "fail", f"{type(error).__name__}: {error}"[:1000]
    return "pass", None


def _loaded(program):
    names = {"__name__": "solution"}
    exec(program, names)
    return names


def _run(test, names, proxy, candidate):
    # The program's functions keep their own names: a recursive one does not call the proxy.
    names = dict(names)
    if candidate is not None:
        names[candidate] = proxy
    random.seed(_SEED)
    exec(test, names)
    if candidate is None:
        names["check"](proxy)
