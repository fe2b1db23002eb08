"""From a program to the job that runs it: its toolchain's commands, compiled first where it must be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sandbox.compiled import Compiled, CompiledCache, compiled_key
from sandbox.errors import InvalidProgram
from sandbox.isolation.isolation import Job, JobResult, Kind
from sandbox.outcome import Outcome, Verdict
from sandbox.program import MIB, Limits, Program
from sandbox.toolchain import Toolchain, located, toolchain

PYTHON = "python"
COMPILE_LIMITS = Limits(
    cpu_seconds=60.0,
    memory_bytes=2048 * MIB,
    processes=256,
    output_bytes=MIB,
    file_bytes=256 * MIB,
    num_files=4096,
)
"""A compiler's own limits; a program that makes it reach them does not compile."""


class Planner:
    """Turns programs into jobs."""

    def __init__(self, cache: CompiledCache) -> None:
        self._cache = cache

    def plan(
        self, program: Program, limits: Limits, run: Callable[[Job], JobResult]
    ) -> Job | Outcome:
        """The job of a program, or the outcome of one that does not compile.

        run: how a compiler is run. Raises UnknownLanguage, ToolchainMissing.
        """
        chain = toolchain(program.language)
        if chain.name == PYTHON:
            return Job(
                kind=Kind.WARM,
                files=program.files,
                main=program.main,
                arguments=program.arguments,
                stdin=program.stdin,
                limits=limits,
            )
        places = located(chain)
        compiled = self._compiled(chain, program, places, run)
        if isinstance(compiled, Outcome):
            return compiled
        command = (*_filled(chain.run, program, places), *program.arguments)
        return Job(
            kind=Kind.COMMAND,
            files=compiled.files,
            executables=compiled.executables,
            command=command,
            environment=chain.environment,
            stdin=program.stdin,
            limits=_at_least(limits, chain),
        )

    def calls(
        self,
        program: Program,
        function: str,
        calls: Sequence[tuple[Any, ...]],
        limits: Limits,
        call_seconds: float | None,
    ) -> Job:
        """The job of calls of a function. Raises InvalidProgram for another language than Python."""
        if toolchain(program.language).name != PYTHON:
            raise InvalidProgram(
                f"program.language is {program.language!r}: functions are called in Python only;"
                " run a program that calls its function itself"
            )
        return Job(
            kind=Kind.CALLS,
            files=program.files,
            main=program.main,
            arguments=program.arguments,
            stdin=program.stdin,
            limits=limits,
            function=function,
            calls=tuple(calls),
            call_seconds=call_seconds,
        )

    def _compiled(
        self,
        chain: Toolchain,
        program: Program,
        places: Mapping[str, str],
        run: Callable[[Job], JobResult],
    ) -> Compiled | Outcome:
        """What the program is run from: its own files, or what its compiler made of them."""
        if not chain.compile:
            return Compiled(files=program.files, executables=())
        command = _filled(chain.compile, program, places)
        key = compiled_key(program, command, chain.environment)
        with self._cache.making(key):
            if (kept := self._cache.find(key)) is not None:
                return kept
            result = run(
                Job(
                    kind=Kind.COMMAND,
                    files=program.files,
                    command=command,
                    environment=chain.environment,
                    collect=chain.artefacts,
                    limits=_at_least(COMPILE_LIMITS, chain),
                )
            )
            if not result.outcome.ok or not result.files:
                return _refused(result.outcome)
            compiled = Compiled(
                files={name: content for name, (content, _) in result.files.items()},
                executables=tuple(name for name, (_, is_x) in result.files.items() if is_x),
            )
            self._cache.keep(key, compiled)
            return compiled


def _filled(
    template: Sequence[str], program: Program, places: Mapping[str, str]
) -> tuple[str, ...]:
    """A command of a toolchain for one program; its executable by its absolute path."""
    main = program.main
    stem = main.rpartition("/")[2].partition(".")[0]
    words: list[str] = []
    for word in template:
        if word == "{sources}":
            suffix = "." + main.rpartition(".")[2]
            words += [name for name in program.files if name.endswith(suffix)]
        else:
            words.append(word.replace("{main}", main).replace("{stem}", stem))
    words[0] = places.get(words[0], words[0])
    return tuple(words)


def _at_least(limits: Limits, chain: Toolchain) -> Limits:
    """A runtime that needs more threads or memory to start than the program may have gets them."""
    return replace(
        limits,
        memory_bytes=max(limits.memory_bytes, chain.memory_bytes),
        processes=max(limits.processes, chain.processes),
    )


def _refused(outcome: Outcome) -> Outcome:
    """The compiler's outcome as the program's: it was not run."""
    reason = b""
    if outcome.verdict not in (Verdict.OK, Verdict.RUNTIME_ERROR):
        reason = f"\nthe compiler was stopped: {outcome.verdict.value}\n".encode()
    # Some compilers tell their findings on stdout.
    said = outcome.stderr if outcome.stderr.strip() else outcome.stdout
    return replace(outcome, verdict=Verdict.COMPILE_ERROR, stderr=said + reason, stdout=b"")
