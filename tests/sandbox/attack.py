"""An attack of tests/attacks: its program, its limits, and what may come of it.

Run as a program it becomes an ordinary user, runs every attack in namespaces, and prints one JSON
object, name of the attack → what was wrong; nothing is wrong with those that are not named.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from sandbox.errors import ToolchainMissing
from sandbox.outcome import Outcome, Verdict
from sandbox.program import MIB, Limits, Program
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from sandbox.toolchain import language_of, located, toolchain

FOLDER = Path(__file__).parents[1] / "attacks"
NOBODY = 65534
NUM_WORKERS = 4
DEFAULTS: Mapping[str, float] = {
    "cpu_seconds": 2.0,
    "wall_seconds": 4.0,
    "memory_bytes": 128 * MIB,
    "processes": 32,
    "output_bytes": 65536,
    "file_bytes": 8 * MIB,
    "num_files": 512,
}
FIRST_OF_A_PAIR, SECOND_OF_A_PAIR = "persist_leave_", "persist_find_"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One file."""

    name: str
    program: Program
    limits: Limits
    verdicts: frozenset[Verdict]

    @classmethod
    def read(cls, path: Path) -> "Attack":
        """The attack of a file, as its first line describes it."""
        first = path.read_text().splitlines()[0].lstrip("#/ ")
        keys = dict(part.split(": ", 1) for part in first.split(" ; "))
        given = dict(part.split("=") for part in keys.get("limits", "").split(", ") if part)
        whole = {field.name for field in fields(Limits) if isinstance(field.default, int)}
        asked = {
            name: int(value) if name in whole else float(value) for name, value in given.items()
        }
        values = {**DEFAULTS, **asked}
        program = Program(
            language=language_of(path),
            files={f"main{path.suffix}": path.read_bytes()},
            stdin=keys.get("stdin", "").encode(),
        )
        return cls(
            name=path.name,
            program=program,
            limits=Limits.parse(values),
            verdicts=frozenset(Verdict(name.strip()) for name in keys["verdict"].split("|")),
        )

    @property
    def can_run(self) -> bool:
        """Whether its language is installed here."""
        try:
            located(toolchain(self.program.language))
        except ToolchainMissing:
            return False
        return True

    def problem(self, outcome: Outcome) -> str | None:
        """What was wrong with its outcome; None when nothing was."""
        said = (outcome.stdout + outcome.stderr).decode(errors="replace")
        if any(line.startswith("ESCAPED") for line in said.splitlines()):
            return said[-500:]
        if outcome.verdict not in self.verdicts:
            wanted = ", ".join(sorted(self.verdicts))
            return (
                f"{outcome.verdict.value} is none of {wanted}; {said[-300:]}; {outcome.exit_code}"
            )
        return None


def attacks() -> list[Attack]:
    """Every attack, what leaves something before what looks for it."""
    paths = [path for path in FOLDER.iterdir() if path.suffix in (".py", ".sh", ".c")]
    found = [Attack.read(path) for path in sorted(paths)]
    return sorted(found, key=lambda attack: SECOND_OF_A_PAIR in attack.name)


def problems(settings: SandboxSettings, chosen: Iterable[Attack]) -> Mapping[str, str]:
    """Run attacks, several at once, and say what was wrong with which."""
    chosen = [attack for attack in chosen if attack.can_run]
    paired = [attack for attack in chosen if attack.name.startswith("persist_")]
    single = [attack for attack in chosen if attack not in paired]
    one, many = (settings.model_copy(update={"workers": num}) for num in (1, NUM_WORKERS))
    with (
        Sandbox(one) as alone,
        Sandbox(many) as together,
        ThreadPoolExecutor(NUM_WORKERS) as threads,
    ):
        found = list(threads.map(lambda attack: _problem(together, attack), single))
        found += [_problem(alone, attack) for attack in paired]
        found += [_healthy(sandbox) for sandbox in (alone, together) for _ in range(NUM_WORKERS)]
    names = [attack.name for attack in (*single, *paired)] + ["a healthy program afterwards"] * 8
    return dict(_wrong(zip(names, found, strict=True)))


def _wrong(found: Iterable[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    for name, problem in found:
        if problem is not None:
            yield name, problem


def _problem(sandbox: Sandbox, attack: Attack) -> str | None:
    return attack.problem(sandbox.run(attack.program, attack.limits))


def _healthy(sandbox: Sandbox) -> str | None:
    outcome = sandbox.run(Program(language="python", files={"main.py": b"print(6 * 7)"}))
    return None if outcome.ok and outcome.stdout == b"42\n" else repr(outcome)


def main() -> None:
    """Run all of them as an ordinary user."""
    chosen = attacks()
    # What is imported lazily would not be found any more: this user may not read where we lie.
    from sandbox.isolation import bare, docker, namespaces  # noqa: F401

    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    settings = SandboxSettings(isolation="namespaces", cache=sys.argv[1])
    sys.stdout.write(json.dumps(problems(settings, chosen)))


if __name__ == "__main__":
    main()
