"""EvalPlus' judgement of one solution on one part of the inputs, within the guard's file.

As in evalplus 0.3.1, with HumanEval/32 repaired as in its later state. The names of local variables
are the harness's own, because solutions that look for them are among what it accepts.
"""

import copy
import marshal
import math


def judge(code, entry_point, inputs, expected_values, reference, time_limits, atol, oracle):
    """("pass" or "fail", number of inputs done, name of the exception, its text).

    expected_values: marshalled, one a call; b"" where the reference is to be called here, because
    its value is too large to be sent.
    """
    expected = _expected(expected_values, reference, entry_point, inputs)
    guard(is_open_taken=True)
    num_done = 0
    exec_globals = {}
    try:
        with swallowed():
            exec(code, exec_globals)
            fn = exec_globals[entry_point]
        for i, inp in enumerate(inputs):
            with limited(time_limits[i]), swallowed():
                out = fn(*inp)
            exp = expected[i]
            exact_match = out == exp
            if oracle == "root":
                xs = inp[0]
                assert abs(sum(c * math.pow(out, n) for n, c in enumerate(xs))) <= atol
                num_done += 1
                continue
            if oracle:
                exact_match = _by_oracle(oracle, exact_match, inp, out, exp, atol)
            if atol == 0 and _is_floats(exp):
                atol = 1e-6  # and it stays so for the inputs that follow
            if not exact_match and atol != 0:
                assert type(out) == type(exp)
                if isinstance(exp, (list, tuple)):
                    assert len(out) == len(exp)
                assert _all_close(out, exp, atol)
            else:
                assert exact_match
            num_done += 1
        return "pass", num_done, "", ""
    except BaseException as error:
        return "fail", num_done, type(error).__name__, str(error)[:1000]


def _expected(values, reference, entry_point, inputs):
    names = {}
    if b"" in values:
        exec(reference, names)
    return [
        marshal.loads(value) if value else names[entry_point](*copy.deepcopy(inputs[i]))
        for i, value in enumerate(values)
    ]


def _by_oracle(oracle, exact_match, inp, out, exp, atol):
    if oracle == "anything":
        return exact_match or True
    if oracle == "or_zero":
        return exact_match or out == 0
    if oracle == "same_set":
        return set(out) == set(exp)
    if oracle == "not_none":
        is_wanted = exp is not None
        return out == is_wanted if isinstance(out, bool) else is_wanted == (out is not None)
    if oracle == "surface_area":
        edge, height = inp
        slant = math.sqrt((edge / 2) ** 2 + height**2)
        return exact_match or abs(out - round(edge**2 + 4 * (edge * slant) / 2)) <= atol
    if oracle == "digit_distance":
        first, second = str(inp[0]), str(inp[1])
        width = max(len(first), len(second))
        pairs = zip(first.zfill(width), second.zfill(width))
        return exact_match or out == sum(abs(int(a) - int(b)) for a, b in pairs)
    raise ValueError(oracle)


def _is_floats(value):
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _all_close(out, exp, atol):
    """numpy.allclose on nested sequences of numbers; raises where numpy would."""
    if isinstance(exp, (list, tuple)) and isinstance(out, (list, tuple)):
        if len(out) != len(exp):
            raise ValueError("shapes differ")
        return all([_all_close(a, b, atol) for a, b in zip(out, exp)])
    if isinstance(exp, (list, tuple, str, dict)) or isinstance(out, (list, tuple, str, dict)):
        raise TypeError("not numbers")
    if math.isinf(out) or math.isinf(exp):
        return out == exp
    return abs(out - exp) <= atol + 1e-07 * abs(exp)
