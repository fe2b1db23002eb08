"""What makes two scores comparable: everything that a suite's score depends on beside the model.

The id is a short hash of the parts; where two differ, `differences` says in what.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from evaluator.asking import Asking
from evaluator.grading.bench import Rules
from evaluator.judge import GRADER_VERSION

_ID_CHARACTERS = 12
_DIGEST_CHARACTERS = 16


def recipe_parts(asking: Asking, rules: Rules) -> dict[str, Any]:
    """The parts, each a plain value that tells a reader something."""
    suite, sampling = asking.suite, asking.sampling
    is_official = rules is Rules.OFFICIAL
    chosen = "all"
    if len(asking.problems) < asking.num_problems:
        ids = _digest([problem.id for problem in asking.problems])
        chosen = f"{len(asking.problems)} of {asking.num_problems}, ids {ids}"
    return {
        "suite": suite.name,
        "problems": chosen,
        "prompts": asking.prompts[:_DIGEST_CHARACTERS],
        "mode": asking.mode,
        "samples": asking.num_samples,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop),
        "extraction": suite.official_extraction if is_official else suite.extraction,
        "rules": rules.value,
        **graded_by(GRADER_VERSION, asking.data, asking.tasks),
    }


def graded_by(grader: int, data: str, tasks: str) -> dict[str, Any]:
    """The parts that a later grading of the same samples may have otherwise, from two digests."""
    return {
        "grader": grader,
        "data": data[:_DIGEST_CHARACTERS],
        "tasks": tasks[:_DIGEST_CHARACTERS],
    }


def recipe(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe as manifests hold it: its id and its parts."""
    return {"id": _digest(dict(parts))[:_ID_CHARACTERS], "parts": dict(parts)}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The parts in which two recipes differ; None stands for a part that one does not have."""
    return {
        name: (a.get(name), b.get(name))
        for name in dict.fromkeys([*a, *b])
        if a.get(name) != b.get(name)
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[
        :_DIGEST_CHARACTERS
    ]
