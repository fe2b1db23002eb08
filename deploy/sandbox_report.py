"""What `codeloop sandbox` shows: an outcome for a person's terminal, and languages with their tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.errors import SandboxError, ToolchainMissing
from sandbox.outcome import Group, Outcome
from sandbox.program import MIB, Limits
from sandbox.sandbox import Sandbox
from sandbox.toolchain import Toolchain
from sandbox.toolchain import program as program_of
from sandbox.toolchain_place import located, remedy, version_of

COLOURS = {Group.FINE: "green", Group.FAILED: "red", Group.LIMITED: "yellow"}

SHOWN_CHARACTERS = 20_000
"""Of an output, on a terminal; --json has all of it."""

SELF_TEST_LIMITS = Limits(cpu_seconds=30.0, memory_bytes=1024 * MIB, processes=256)


@dataclass(frozen=True, kw_only=True)
class LanguageFound:
    """A language on this machine.

    passes: None when it is not installed, so was not tried. problem: why it fails, or how to get it.
    """

    name: str
    title: str
    version: str
    is_present: bool
    passes: bool | None
    problem: str
    packages: Sequence[str]

    @property
    def cells(self) -> Sequence[Text]:
        """A row of the table."""
        tests = {None: "", True: "passes", False: f"fails: {self.problem}"}
        texts = (
            self.name,
            self.version,
            "yes" if self.is_present else "no",
            tests[self.passes],
            " ".join(self.packages) or ("" if self.is_present else self.problem),
        )
        return [Text(text) for text in texts]


def languages_found(sandbox: Sandbox, chains: Iterable[Toolchain]) -> list[LanguageFound]:
    """Each language, its self-test run in the sandbox where it is installed."""
    return [_language_found(sandbox, chain) for chain in chains]


def _language_found(sandbox: Sandbox, chain: Toolchain) -> LanguageFound:
    try:
        located(chain)
    except ToolchainMissing:
        problem, is_present = remedy(chain), False
    else:
        problem, is_present = _self_test_problem(sandbox, chain), True
    return LanguageFound(
        name=chain.name,
        title=chain.title,
        version=version_of(chain) if is_present else "",
        is_present=is_present,
        passes=not problem if is_present else None,
        problem=problem,
        packages=chain.packages,
    )


def _self_test_problem(sandbox: Sandbox, chain: Toolchain) -> str:
    test = chain.self_test
    program = program_of(chain.name, test.source, stdin=test.stdin.encode())
    try:
        outcome = sandbox.run(program, SELF_TEST_LIMITS)
    except SandboxError as error:
        return str(error)
    if not outcome.ok:
        return f"{outcome.verdict.value} {_visible(outcome.stderr[-300:])}".strip()
    if outcome.stdout != test.stdout.encode():
        return f"printed {outcome.stdout[:80]!r}, not {test.stdout[:80]!r}"
    return ""


def print_outcome(outcome: Outcome) -> None:
    """The outputs and a table. What the program wrote cannot steer the terminal."""
    console = Console(highlight=False)
    for name, content, is_cut in (
        ("stdout", outcome.stdout, outcome.stdout_truncated),
        ("stderr", outcome.stderr, outcome.stderr_truncated),
    ):
        if content:
            text = _visible(content)
            is_long = len(text) > SHOWN_CHARACTERS
            console.rule(f"{name}, cut" if is_cut or is_long else name, align="left")
            console.print(Text(text[:SHOWN_CHARACTERS]), soft_wrap=True)
    table = Table(show_header=False)
    verdict = outcome.verdict
    table.add_row("verdict", Text(verdict.value, style=COLOURS[verdict.group]))
    if outcome.exit_code is not None:
        table.add_row("exit code", str(outcome.exit_code))
    if outcome.signal is not None:
        table.add_row("signal", str(outcome.signal))
    table.add_row("processor", f"{outcome.cpu_seconds:.3f} s")
    waited = f", {outcome.wait_seconds:.3f} s of it waiting" if outcome.wait_seconds else ""
    table.add_row("wall", f"{outcome.wall_seconds:.3f} s{waited}")
    table.add_row("memory", f"{outcome.peak_memory_bytes / MIB:.1f} MiB")
    if outcome.num_left_processes:
        table.add_row("left running", f"{outcome.num_left_processes} processes, killed")
    table.add_row("held by", Text(outcome.isolation))
    console.print(table)


def _visible(content: bytes) -> str:
    """Text without control characters: a program's output must not move the cursor."""
    text = content.decode("utf-8", "backslashreplace")
    return "".join(
        c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode() for c in text
    ).removesuffix("\n")
