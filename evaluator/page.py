"""One self-contained HTML page: asks nothing of any network, and what a model wrote in it stays inert.

Text goes through autoescape; data goes into a block that a browser does not run, with every "<" and
"&" written as an escape, and the page's script shows it through textContent only. The page's
Content-Security-Policy allows exactly its own script and style, by their digests.
"""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluator import shown

STYLE = "page.css"


def page(
    template: str,
    *,
    script: str = "",
    data: Any = None,
    package: str = "evaluator",
    more_style: str = "",
    **context: Any,
) -> str:
    """A page of `templates` in a package. script: name of the one file of code that it runs, or "".

    data: what that script reads, JSON-able. package: whose templates; they may build on the
    evaluator's. more_style: a style sheet of that package, after our own.
    """
    style = _asset("evaluator", STYLE) + (_asset(package, more_style) if more_style else "")
    code = _asset(package, script) if script else ""
    code_source = _source(code) if code else "'none'"
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {code_source};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    return _environment(package).get_template(template).render(
        **context, policy=policy, style=Markup(style), code=Markup(code), data=inert_json(data)
    )  # fmt: skip


def inert_json(data: Any) -> Markup:
    """JSON that cannot end the script block that holds it, whatever texts are inside."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # A lone surrogate is no text; a file must hold UTF-8.
    return Markup(text.encode("utf-8", "replace").decode())


@cache
def _environment(package: str) -> Environment:
    packages = dict.fromkeys((package, "evaluator"))
    found = Environment(
        loader=ChoiceLoader([PackageLoader(name, "templates") for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["shown"] = shown
    return found


@cache
def _asset(package: str, name: str) -> str:
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
