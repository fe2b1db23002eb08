"""A needle in a haystack: one sentence is hidden in a long text, and the model is asked for it.

Context lengths from 1K tokens up, each by depths of 0 to 100 % of the text; the needle stands where a
sentence ends, and 200 tokens are kept free for the answer. The original (gkamradt's
needle-in-a-haystack) hides one sentence about San Francisco in essays, which are not ours to copy, and
has a model grade from 1 to 10. Here every problem has filler of its own from a seed and a needle of
its own, a city with a number, and the answer passes when it names the number: no judge, and nothing
that a model could know without reading. Lengths are estimates, four characters a token: an endpoint's
own count is in the report.
"""

import random
from collections.abc import Sequence
from functools import partial

from evaluator.data import DataFolder
from evaluator.problem import KeywordTask, Problem
from evaluator.prompt import Prompt, ask
from evaluator.suite import Suite
from evaluator.suites.needle_text import CHARACTERS_A_TOKEN, sentences

LENGTHS_TOKENS = (1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
DEPTHS_PERCENT = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
ANSWER_TOKENS = 200
OVERHEAD_TOKENS = 120
"""Instructions, the question and a chat template's own tokens."""
_SEED = 20_240_607
_CITIES = (
    "Lisbon", "Osaka", "Tampere", "Quito", "Cork", "Brno", "Accra", "Bergen", "Hobart", "Turin",
    "Leeds", "Izmir", "Lyon", "Porto", "Tartu", "Ghent",
)  # fmt: skip


def load(_data: DataFolder, *, most_tokens: int) -> Sequence[Problem]:
    """One problem a length and depth, of lengths up to most_tokens."""
    return [
        _problem(length, depth)
        for length in LENGTHS_TOKENS
        if length <= most_tokens
        for depth in DEPTHS_PERCENT
    ]


def _problem(length_tokens: int, depth_percent: int) -> Problem:
    seed = _SEED + length_tokens * 1000 + depth_percent
    rng = random.Random(seed)
    city, number = rng.choice(_CITIES), str(rng.randrange(100_000, 1_000_000))
    needle = f"The special number for {city} is {number}."
    room = (length_tokens - ANSWER_TOKENS - OVERHEAD_TOKENS) * CHARACTERS_A_TOKEN
    text = haystack(seed, room, needle, depth_percent)
    return Problem(
        id=f"{length_tokens}/{depth_percent}",
        statement=f"{text}\n\nWhat is the special number for {city}?",
        task=KeywordTask(keywords=(number,)),
        language="text",
        reference=f"The special number for {city} is {number}.",
        group=str(length_tokens),
        notes={"length_tokens": length_tokens, "depth_percent": depth_percent},
    )


def haystack(seed: int, num_characters: int, needle: str, depth_percent: int) -> str:
    """Filler of at most so many characters with the needle after the sentence at that depth."""
    pieces: list[str] = []
    room = num_characters - len(needle) - 1
    source = sentences(seed)
    while len(piece := next(source)) <= room:
        pieces.append(piece)
        room -= len(piece)
    wanted = sum(map(len, pieces)) * depth_percent / 100
    at, before = 0, 0
    while at < len(pieces) and before < wanted:
        before += len(pieces[at])
        at += 1
    return "".join((*pieces[:at], needle + " ", *pieces[at:])).rstrip()


def prompt(problem: Problem) -> Prompt:
    """The haystack and the question, in one user turn."""
    text, _, question = problem.statement.rpartition("\n\n")
    return ask(
        "Read the text, then answer the question after it from the text alone, in one short"
        f" sentence.\n\n<text>\n{text}\n</text>\n\n{question}"
    )


def _suite(name: str, most_tokens: int) -> Suite:
    return Suite(
        name=name,
        title=f"Needle in a haystack, up to {most_tokens // 1024}K tokens",
        source="generated",
        licence="ours",
        files=(),
        load=partial(load, most_tokens=most_tokens),
        prompt=prompt,
        extraction="answer",
        official_extraction="answer",
        language="text",
        metric="found",
    )


NEEDLE = _suite("needle", 131072)
NEEDLE_8K = _suite("needle-8k", 8192)
NEEDLE_32K = _suite("needle-32k", 32768)
NEEDLE_128K = _suite("needle-128k", 131072)
