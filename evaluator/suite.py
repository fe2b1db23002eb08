"""A suite: where its problems come from, how they are asked, and how an answer is read.

A suite is a value of this class in its own file under `evaluator/suites`, whose docstring tells its
official harness's semantics; `evaluator.suites` is the table of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from evaluator.data import DataFolder, SourceFile
from evaluator.judgement import Judgement
from evaluator.problem import Problem
from evaluator.prompt import Prompt


def no_second_try(_problem: Problem, _answer: str, _judgement: Judgement) -> Prompt | None:
    """For suites of one try."""
    return None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One benchmark.

    name: as on the command line. files: what it is loaded from. load: the problems, in the
    source's order. prompt: what a model is asked. base_prompt: what a base model is asked, where
    the suite has that. extraction, official_extraction: rules of `evaluator.extract`. may_train:
    whether the licence allows training on it. second_prompt: asked once more after a failed try,
    or None. published: rows (model, score in percent, note) that reports show as published.
    """

    name: str
    title: str
    source: str
    licence: str
    files: tuple[SourceFile, ...]
    load: Callable[[DataFolder], Sequence[Problem]]
    prompt: Callable[[Problem], Prompt]
    base_prompt: Callable[[Problem], Prompt] | None = None
    extraction: str = "last_block"
    official_extraction: str = "last_block"
    base_extraction: str = "completion"
    """The rule for what a base model writes after `base_prompt`."""
    language: str = "python"
    may_train: bool = False
    second_prompt: Callable[[Problem, str, Judgement], Prompt | None] = no_second_try
    default_samples: int = 1
    metric: str = "pass@1"
    scores: tuple[str, ...] = ()
    """Names of the parts of its score, such as ("base", "plus"); the last one is the headline."""
    published: tuple[tuple[str, float, str], ...] = ()
    warning: str = ""
    """What a reader of its score must know, such as "samples of the statement only"."""
    notes: Mapping[str, str] = field(default_factory=dict)
