"""The name that Java wants for a source file, read from the source."""

import re

DEFAULT = "Main"
_LOOKED_AT_BYTES = 1 << 20

# Every alternative ends where the text ends: no source makes this look at a character twice.
_TOKEN = re.compile(
    r"""
    //[^\n]* | /\*.*?(?:\*/|\Z)
    | \"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\\?\Z) | "(?:\\.|[^"\\\n])*+"? | '(?:\\.|[^'\\\n])*+'?
    | (?P<brace>[{}])
    | \b(?P<public>public\s++(?:(?:final|abstract|sealed|strictfp)\s++)*+)?
      (?:class|enum|record|interface)\s++(?P<type>[\w$]{1,200})\b
    | \b(?P<main>void\s++main\s*+\()
    """,
    re.VERBOSE | re.DOTALL,
)


def java_name(source: bytes) -> str:
    """The public type of a source, else the outermost one that has `main`, else "Main".

    A public type in a file of another name does not compile; without one, the type with `main` is
    what has to be started.
    """
    depth, outermost, with_main = 0, DEFAULT, None
    for token in _TOKEN.finditer(source[:_LOOKED_AT_BYTES].decode("utf-8", "replace")):
        if token["brace"]:
            depth += 1 if token["brace"] == "{" else -1
        elif token["type"] and depth == 0:
            outermost = token["type"]
            if token["public"]:
                return outermost
        elif token["main"] and with_main is None:
            with_main = outermost
    return with_main or DEFAULT
