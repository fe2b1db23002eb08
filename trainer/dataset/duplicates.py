"""Finds problems that are in an evaluation suite, or twice in a data set, under other words too.

Exact: the same words once case, punctuation and white space are gone. Near: a Jaccard index of at least
NEAR over runs of three words, found by MinHash and then counted exactly; or of at least NEAR_SAME_NAME
where both test a function of the same name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]

from evaluator.data import DataFolder
from evaluator.problem import CallTask, CheckTask, FunctionTask, Problem
from evaluator.suites import in_window, suites

NEAR = 0.6
NEAR_SAME_NAME = 0.3
_RUN_WORDS = 3
_PERMUTATIONS = 64
_BUCKET_INDEX = 0.3
"""Index from which MinHash should find a pair; what it finds is counted exactly."""

_LEAST_NAME = 4
"""Shorter names of functions, such as f, say nothing."""

_COMMON_NAMES = {"solve", "main", "solution", "check", "test", "function"}
_TRAINING_WINDOWS = {"livecodebench": "2024-08-01..", "livecodebench-v6": "2024-08-01.."}
"""Suites of which only a window is evaluated; what is before it may be trained on."""

_FRAGMENTS = ("humaneval-infilling", "santacoder")
"""Suites of pieces of other suites' programs: only looked at exactly."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """What a problem is like. index: the Jaccard index, 1 for the same words."""

    id: str
    index: float

    @property
    def is_exact(self) -> bool:
        """Whether the words are the same."""
        return self.index == 1.0


@dataclass(frozen=True, kw_only=True)
class Text:
    """A problem as its words. name: of the function that is tested, or "". is_fragment: exact only."""

    id: str
    words: str
    name: str = ""
    is_fragment: bool = False


def text_of(problem: Problem, identity: str, *, is_fragment: bool = False) -> Text:
    """The words of a problem's statement."""
    words = " ".join(re.findall(r"[a-z0-9]+", problem.statement.lower()))
    return Text(id=identity, words=words, name=_name(problem), is_fragment=is_fragment)


def _name(problem: Problem) -> str:
    match problem.task:
        case CallTask(function=name):
            found = name
        case CheckTask(entry_point=name) | FunctionTask(entry_point=name):
            found = name.rpartition(".")[2]
        case _:
            return ""
    found = found.replace("_", "").lower()
    return "" if len(found) < _LEAST_NAME or found in _COMMON_NAMES else found


def evaluation_texts(data: DataFolder) -> tuple[list[Text], dict[str, int]]:
    """The problems of every suite whose files are here, and how many each suite has."""
    texts: dict[tuple[str, str], Text] = {}
    counts: dict[str, int] = {}
    for suite in suites():
        if not suite.files or not all(map(data.has, suite.files)):
            continue
        window = _TRAINING_WINDOWS.get(suite.name)
        found = (in_window(suite, window) if window else suite).load(data)
        counts[suite.name] = len(found)
        is_fragment = suite.name.startswith(_FRAGMENTS)
        for problem in found:
            text = text_of(problem, f"{suite.name}:{problem.id}", is_fragment=is_fragment)
            texts.setdefault((text.words, text.name), text)
    return list(texts.values()), counts


class Index:
    """Texts that others are compared with."""

    def __init__(self, texts: Iterable[Text] = ()) -> None:
        self._exact: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        self._runs: dict[str, frozenset[bytes]] = {}
        self._buckets = MinHashLSH(threshold=_BUCKET_INDEX, num_perm=_PERMUTATIONS)
        for text in texts:
            self.add(text)

    def add(self, text: Text) -> None:
        """Take note of a text; of texts with the same words the first."""
        if not text.words or text.words in self._exact:
            return
        self._exact[text.words] = text.id
        if text.is_fragment:
            return
        self._runs[text.id] = runs = _runs(text.words)
        self._buckets.insert(text.id, _sketch(runs))
        if text.name:
            self._names.setdefault(text.name, []).append(text.id)

    def find(self, text: Text, *, is_near_looked_for: bool = True) -> Match | None:
        """What the text is like, if anything: the same words first, then the nearest."""
        if text.words in self._exact:
            return Match(id=self._exact[text.words], index=1.0)
        if not is_near_looked_for:
            return None
        runs = _runs(text.words)
        same_name = self._names.get(text.name, []) if text.name else []
        bounds = dict.fromkeys(self._buckets.query(_sketch(runs)), NEAR)
        bounds |= dict.fromkeys(same_name, NEAR_SAME_NAME)
        near = [
            Match(id=other, index=min(0.999, index))
            for other, least in bounds.items()
            if (index := _jaccard(runs, self._runs[other])) >= least
        ]
        return max(near, key=lambda match: (match.index, match.id), default=None)


def _runs(words: str) -> frozenset[bytes]:
    listed = words.split()
    last = max(1, len(listed) - _RUN_WORDS + 1)
    return frozenset(" ".join(listed[at : at + _RUN_WORDS]).encode() for at in range(last))


def _jaccard(first: frozenset[bytes], second: frozenset[bytes]) -> float:
    return len(first & second) / len(first | second)


def _sketch(runs: frozenset[bytes]) -> MinHash:
    made = _EMPTY.copy()
    made.update_batch(sorted(runs))
    return made


_EMPTY = MinHash(num_perm=_PERMUTATIONS, seed=1)
