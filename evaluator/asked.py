"""What a run asked: each problem's prompt and facts, beside the journal, so that reports need no suite.

<run>/problems.jsonl    one JSON object a problem; written before sampling begins
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.errors import JournalBroken
from evaluator.problem import Problem
from evaluator.prompt import Chat, Infill, Prompt

PROBLEMS = "problems.jsonl"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One problem as it was asked.

    prompt: as one text for people. kind: the class of its task, such as "MathTask". date: ISO, or "".
    The rest as in `evaluator.problem.Problem`; notes: those that JSON can hold.
    """

    suite: str
    problem: str
    prompt: str = ""
    kind: str = ""
    language: str = ""
    date: str = ""
    difficulty: str = ""
    group: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)


def asked_of(suite: str, problem: Problem, prompt: Prompt | None) -> Asked:
    """What a report tells of a problem."""
    return Asked(
        suite=suite,
        problem=problem.id,
        prompt="" if prompt is None else prompt_text(prompt),
        kind=type(problem.task).__name__,
        language=problem.language,
        date=problem.date.isoformat() if problem.date else "",
        difficulty=problem.difficulty,
        group=problem.group,
        notes={k: v for k, v in problem.notes.items() if isinstance(v, str | int | float)},
    )


def prompt_text(prompt: Prompt) -> str:
    """A prompt as one text: the turns of a chat under their roles, a gap marked as one."""
    if isinstance(prompt, Chat):
        return "\n\n".join(f"[{turn.role}]\n{turn.content}" for turn in prompt.messages)
    if isinstance(prompt, Infill):
        return f"{prompt.prefix}⟨gap⟩{prompt.suffix}"
    return prompt.text


def write_asked(folder: Path, rows: Iterable[Asked]) -> None:
    """Write a run's problems by one rename. Raises JournalBroken."""
    temporary = folder / f".{PROBLEMS}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", errors="replace") as file:
            for row in rows:
                file.write(json.dumps(vars(row) | {"notes": dict(row.notes)}) + "\n")
        temporary.replace(folder / PROBLEMS)
    except OSError as error:
        raise JournalBroken(
            f"{folder / PROBLEMS} cannot be written ({error.strerror}): free space or choose"
            " another --out"
        ) from error


def read_asked(folder: Path) -> dict[tuple[str, str], Asked]:
    """A run's problems by suite and id; none where the run wrote none. Raises JournalBroken."""
    path = folder / PROBLEMS
    found: dict[tuple[str, str], Asked] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                    known = {k: row[k] for k in Asked.__dataclass_fields__ if k in row}
                    asked = Asked(**known)
                except (ValueError, TypeError) as error:
                    raise JournalBroken(
                        f"{path}, line {number} is no row of a problem ({error}): delete the file,"
                        " and reports go without prompts"
                    ) from error
                found[asked.suite, asked.problem] = asked
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise JournalBroken(
            f"{path} cannot be read ({error.strerror}): check its rights"
        ) from error
    return found
