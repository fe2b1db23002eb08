r"""LaTeX as plain text, in the way that rLLM's second grader reads it: \frac{a}{b} is a/b, \sqrt{2} is sqrt(2).

Behaviour of pylatexenc's latex2text as far as answers need it: a symbol becomes its character, an
unknown macro becomes nothing and its arguments stay, braces vanish and need not match.
"""

import re

_TOKEN = re.compile(r"\\([a-zA-Z]+)[ \t\n]*|\\(.)|([{}])|([^\\{}]+)|(\\)$", re.DOTALL)
_ESCAPED = {",": " ", ";": " ", ":": " ", " ": " ", "!": "", "\\": "\n", "|": ""}
_PLAIN = {"&": "   ", "~": "\N{NO-BREAK SPACE}"}
_DOUBLE = {"R": "ℝ", "Z": "ℤ", "N": "ℕ", "Q": "ℚ", "C": "ℂ", "P": "ℙ"}
_SYMBOLS = {
    "pi": "π", "infty": "∞", "cup": "∪", "cap": "∩", "cdot": "·", "times": "×", "div": "÷",
    "pm": "±", "mp": "∓", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "neq": "≠",
    "in": "∈", "circ": "∘", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "theta": "θ",
    "lambda": "λ", "mu": "μ", "phi": "ϕ", "varphi": "φ", "omega": "ω", "sigma": "σ", "rho": "ρ",
    "epsilon": "ϵ", "varepsilon": "ε", "tau": "τ", "psi": "ψ", "xi": "ξ", "eta": "η", "zeta": "ζ",
    "Delta": "Δ", "Gamma": "Γ", "Omega": "Ω", "Sigma": "Σ", "Phi": "Φ", "Pi": "Π", "Theta": "Θ",
    "sin": "sin", "cos": "cos", "tan": "tan",
    "arcsin": "arcsin", "arccos": "arccos", "arctan": "arctan", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "log": "log", "ln": "ln", "exp": "exp", "lim": "lim", "max": "max",
    "min": "min",
    "to": "→", "rightarrow": "→", "Rightarrow": "⇒", "subset": "⊂", "mid": "|",
    "subseteq": "⊆", "emptyset": "∅", "varnothing": "∅", "forall": "∀", "exists": "∃",
    "approx": "≈", "equiv": "≡", "sim": "∼", "dots": "…", "ldots": "…", "cdots": "⋯",
    "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "lbrace": "{", "rbrace": "}", "vert": "|", "quad": "  ", "qquad": "    ", "prime": "'",
    "angle": "∠", "perp": "⊥", "parallel": "∥", "setminus": "∖", "wedge": "∧", "vee": "∨",
    "ell": "ℓ", "partial": "∂", "sum": "∑", "prod": "∏", "int": "∫",
}  # fmt: skip
_Pieces = list[tuple[str, str]]


def latex_text(latex: str) -> str:
    """The plain text."""
    pieces: _Pieces = []
    for name, escaped, brace, text, end in _TOKEN.findall(latex):
        if name:
            pieces.append(("macro", name))
        elif brace:
            pieces.append((brace, brace))
        elif escaped or end:
            pieces.append(("text", _ESCAPED.get(escaped, escaped)))
        else:
            pieces.extend(("text", _PLAIN.get(letter, letter)) for letter in text)
    words, at = _words(pieces, 0)
    while at < len(pieces):
        more, at = _words(pieces, at + 1)
        words += more
    return words.replace("---", "—").replace("--", "–")


def _words(pieces: _Pieces, at: int) -> tuple[str, int]:
    """The text of pieces up to a closing brace or the end, and where that is."""
    words = []
    while at < len(pieces) and pieces[at][0] != "}":
        word, at = _word(pieces, at)
        words.append(word)
    return "".join(words), at


def _word(pieces: _Pieces, at: int) -> tuple[str, int]:
    kind, content = pieces[at]
    if kind == "{":
        inside, at = _words(pieces, at + 1)
        return inside, min(at + 1, len(pieces))
    if kind == "text":
        return content, at + 1
    at += 1
    if content == "frac":
        above, at = _argument(pieces, at)
        below, at = _argument(pieces, at)
        return f"{above}/{below}", at
    if content == "sqrt":
        at = _past_option(pieces, at)
        inside, at = _argument(pieces, at)
        return f"√({inside})", at
    if content == "mathbb":
        inside, at = _argument(pieces, at)
        return "".join(_DOUBLE.get(letter, letter) for letter in inside), at
    if content == "begin":
        name, at = _argument(pieces, at)
        return _matrix(pieces, at) if "matrix" in name else ("", at)
    if content == "end":
        _, at = _argument(pieces, at)
        return "", at
    return _SYMBOLS.get(content, ""), at


def _matrix(pieces: _Pieces, at: int) -> tuple[str, int]:
    r"""What stands up to the matrix's \end: its rows apart by semicolons, in square brackets."""
    words = []
    while at < len(pieces) and pieces[at] != ("macro", "end"):
        word, at = _word(pieces, at)
        words.append("; " if word == "\n" else word)
    _, at = _argument(pieces, at + 1)
    return f"[ {''.join(words).strip()} ]", at


def _argument(pieces: _Pieces, at: int) -> tuple[str, int]:
    """What a macro is applied to: a group, or the next thing that is no blank."""
    while at < len(pieces) and pieces[at][1].isspace():
        at += 1
    if at == len(pieces) or pieces[at][0] == "}":
        return "", at
    return _word(pieces, at)


def _past_option(pieces: _Pieces, at: int) -> int:
    if at < len(pieces) and pieces[at] == ("text", "["):
        while at < len(pieces) and pieces[at] != ("text", "]"):
            at += 1
        return at + 1
    return at
