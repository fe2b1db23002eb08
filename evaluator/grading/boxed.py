"""The boxed expression of a mathematical answer."""

import re

_BOX = re.compile(r"\\boxed\s*(\{|[0-9]+)")


def last_boxed(text: str) -> str | None:
    """What the last \\boxed holds; None where there is none, or the last one is never closed.

    Escaped braces are no braces; `\\boxed 7` holds 7.
    """
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    found = boxes[-1]
    if found[1] != "{":
        return str(found[1])
    depth, at = 1, found.end()
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if not depth:
                return text[found.end() : at]
        at += 1
    return None
