"""Programs that are sent into the sandbox and run there; nothing of ours imports them.

Each is standard library only, and defines the function that the host calls.
"""

from functools import cache
from pathlib import Path

from sandbox.program import Program

FOLDER = Path(__file__).parent


@cache
def inside_program(*names: str) -> Program:
    """The named files of this folder, one after the other, as one Python program."""
    source = "\n\n".join((FOLDER / f"{name}.py").read_text(encoding="utf-8") for name in names)
    return Program(language="python", files={"main.py": source.encode()})
