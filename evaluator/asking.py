"""One suite as a run asks it: in which mode, which of its problems, how many samples, how drawn."""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from evaluator.asked import prompt_text
from evaluator.completer import Sampling
from evaluator.data import DataFolder
from evaluator.errors import DataInvalid, UsageRefused
from evaluator.problem import Problem
from evaluator.prompt import Chat, Infill, Message, Prompt, Text
from evaluator.suite import Suite, no_second_try

Mode = Literal["chat", "raw", "infill"]
_MODES: dict[type[Prompt], Mode] = {Chat: "chat", Text: "raw", Infill: "infill"}


@dataclass(frozen=True, kw_only=True)
class Asking:
    """suite: as it is asked, so its `prompt` and `extraction` are those of the mode. problems: the
    chosen ones. num_problems: of the whole suite. data, prompts, tasks: digests over the whole suite.
    """

    suite: Suite
    mode: Mode
    problems: tuple[Problem, ...]
    num_problems: int
    num_samples: int
    sampling: Sampling
    data: str
    prompts: str
    tasks: str

    @property
    def num_asked(self) -> int:
        """Samples that a whole run of it has."""
        return len(self.problems) * self.num_samples


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which problems of a suite are asked: all of these that hold. limit: only so many first ones."""

    ids: Collection[str] = ()
    languages: Collection[str] = ()
    limit: int | None = None


def ask_suite(
    suite: Suite,
    data: DataFolder,
    *,
    sampling: Sampling,
    mode: Mode | None = None,
    num_samples: int | None = None,
    choice: Choice | None = None,
    system_prompt: bool = True,
) -> Asking:
    """Load a suite and choose from it. Raises DataMissing, DataInvalid, UsageRefused.

    mode: None is the suite's own. num_samples: None is the suite's own too, and 1 without a
    temperature. system_prompt: False moves its text to the front of the user's turn.
    """
    problems = loaded(suite, data)
    asked = in_mode(suite, mode, problems[0])
    if not system_prompt:
        asked = replace(asked, prompt=_folding(asked.prompt))
    if num_samples is None:
        num_samples = suite.default_samples if sampling.temperature > 0 else 1
    return Asking(
        suite=asked,
        mode=_MODES[type(asked.prompt(problems[0]))],
        problems=_chosen(suite, problems, choice or Choice()),
        num_problems=len(problems),
        num_samples=num_samples,
        sampling=sampling,
        data=data.digest(suite.files) if suite.files else "",
        prompts=_prompts_digest(asked, problems),
        tasks=tasks_digest(problems),
    )


def loaded(suite: Suite, data: DataFolder) -> Sequence[Problem]:
    """A suite's problems. Raises DataMissing, DataInvalid also for none and for an id twice."""
    problems = suite.load(data)
    if not problems:
        raise DataInvalid(
            f"suite {suite.name} has no problem: its files hold no row that it can use"
        )
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise DataInvalid(
                f"suite {suite.name} has the id {problem.id!r} twice: ids are unique in a suite"
            )
        seen.add(problem.id)
    return problems


def in_mode(suite: Suite, mode: Mode | None, example: Problem) -> Suite:
    """The suite with the prompt and the extraction of a mode. Raises UsageRefused if it has none."""
    own = _MODES[type(suite.prompt(example))]
    if mode is None or mode == own:
        return suite
    if mode == "raw" and suite.base_prompt is not None:
        return replace(
            suite,
            prompt=suite.base_prompt,
            extraction=suite.base_extraction,
            official_extraction=suite.base_extraction,
            second_prompt=no_second_try,
        )
    modes = [own] + (["raw"] if suite.base_prompt is not None else [])
    raise UsageRefused(
        f"--mode {mode} does not go with suite {suite.name}, which is asked as"
        f" {' or '.join(modes)}: leave --mode out for its own"
    )


def _folding(prompt: Callable[[Problem], Prompt]) -> Callable[[Problem], Prompt]:
    def folded(problem: Problem) -> Prompt:
        found = prompt(problem)
        if not isinstance(found, Chat) or found.messages[0].role != "system":
            return found
        system, first, *others = found.messages
        lead = Message(role="user", content=f"{system.content}\n\n{first.content}")
        return Chat(messages=(lead, *others))

    return folded


def _chosen(suite: Suite, problems: Sequence[Problem], choice: Choice) -> tuple[Problem, ...]:
    if missing := sorted(set(choice.ids) - {p.id for p in problems}):
        raise UsageRefused(
            f"--ids names {missing[0]!r}, which suite {suite.name} does not have: its ids look like"
            f" {problems[0].id!r}"
        )
    found = [
        p
        for p in problems
        if (not choice.ids or p.id in choice.ids)
        and (not choice.languages or p.language in choice.languages)
    ]
    if not found:
        there = sorted({p.language for p in problems})
        raise UsageRefused(
            f"no problem of suite {suite.name} is in {', '.join(choice.languages)}: there are"
            f" {', '.join(there)}"
        )
    return tuple(found[: choice.limit])


def _prompts_digest(suite: Suite, problems: Sequence[Problem]) -> str:
    whole = hashlib.sha256()
    for problem in problems:
        prompt = suite.prompt(problem)
        stop = () if isinstance(prompt, Chat) else prompt.stop
        facts = [problem.id, type(prompt).__name__, prompt_text(prompt), stop]
        whole.update(json.dumps(facts).encode())
    return whole.hexdigest()


def tasks_digest(problems: Sequence[Problem]) -> str:
    """Over kinds, limits and texts of the tasks. Their inputs come from files that have a digest."""
    whole = hashlib.sha256()
    for problem in problems:
        task = problem.task
        facts = {f.name: _plain(getattr(task, f.name)) for f in fields(task)}
        row = [problem.id, type(task).__name__, problem.language, facts]
        whole.update(json.dumps(row, sort_keys=True).encode())
    return whole.hexdigest()


def _plain(value: Any) -> Any:
    """What json can write alike in every process; None for the rest, such as sets of inputs."""
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return value
    if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
        return value
    return None
