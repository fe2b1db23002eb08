"""Programs that are sent into the sandbox and run there; nothing of ours imports them.

Each is standard library only, and defines the function that the host calls.
"""

from functools import cache
from pathlib import Path

from sandbox.program import Program
from sandbox.worker import values

FOLDER = Path(__file__).parent


@cache
def inside_program(*names: str) -> Program:
    """The named files of this folder, one after the other, as one Python program.

    "values" is the sandbox's own reader of what programs return.
    """
    paths = (Path(values.__file__) if name == "values" else FOLDER / f"{name}.py" for name in names)
    source = "\n\n".join(path.read_text(encoding="utf-8") for path in paths)
    return Program(language="python", files={"main.py": source.encode()})
