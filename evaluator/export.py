"""Results in the shapes that other tools read: a model card's metadata, lm-evaluation-harness, JUnit.

The one file that knows huggingface_hub's classes of model cards.
"""

import json
import math
from typing import Any
from xml.etree import ElementTree as ET

from evaluator.report_json import number
from evaluator.results import Results
from evaluator.suite_results import Score, SuiteResults


def model_card(results: Results) -> str:
    """A model card's metadata as YAML: `model-index` with every headline and part.

    Paste it between the two --- lines of a README.md. Values are percent, and not verified by the hub.
    """
    from huggingface_hub import EvalResult, ModelCardData

    rows = [
        EvalResult(
            task_type="text-generation",
            dataset_type=suite.name,
            dataset_name=str(suite.facts.get("title") or suite.name),
            dataset_revision=str(suite.facts.get("data") or "") or None,
            metric_type=score.name,
            metric_name=f"{score.label} ({results.rules})",
            metric_value=round(100 * score.value, 2),
            metric_args={"recipe": suite.recipe, "num_samples": score.num_samples,
                         "interval": [round(100 * score.interval.low, 2),
                                      round(100 * score.interval.high, 2)]},
        )
        for suite in results.suites.values()
        for score in suite.scores
        if not math.isnan(score.value)
    ]  # fmt: skip
    card = ModelCardData(model_name=results.model, eval_results=rows)
    return str(card.to_yaml()) + "\n"


def lm_eval_json(results: Results) -> str:
    """Results in the shape of lm-evaluation-harness' results_*.json. The filter is our rule set."""
    suites = results.suites
    data: dict[str, Any] = {
        "results": {name: _lm_eval_task(suite, results.rules) for name, suite in suites.items()},
        "group_subtasks": {name: [] for name in suites},
        "configs": {name: _lm_eval_config(suite) for name, suite in suites.items()},
        # Another recipe is another version of the task: their rows must not be mixed.
        "versions": {name: suite.recipe for name, suite in suites.items()},
        "n-shot": dict.fromkeys(suites, 0),
        "higher_is_better": {
            name: {score.label: True for score in suite.scores} for name, suite in suites.items()
        },
        "n-samples": {
            name: {
                "original": suite.headline.num_problems + suite.num_missing,
                "effective": suite.headline.num_problems,
            }
            for name, suite in suites.items()
        },
        "config": {"model": results.model, "model_args": {"weights": results.weights}},
        "model_name": results.model,
        "model_name_sanitized": results.model.replace("/", "__"),
        "date": results.started,
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _lm_eval_task(suite: SuiteResults, rules: str) -> dict[str, Any]:
    row: dict[str, Any] = {"alias": suite.name}
    for score in suite.scores:
        row[f"{score.label},{rules}"] = number(score.value)
        row[f"{score.label}_stderr,{rules}"] = _error(score)
    return row


def _error(score: Score) -> float | str:
    """The harness writes "N/A" for an error that is not known."""
    return "N/A" if math.isnan(score.error) else score.error


def _lm_eval_config(suite: SuiteResults) -> dict[str, Any]:
    return {
        "task": suite.name,
        "output_type": "generate_until",
        "repeats": suite.headline.num_samples,
        "generation_kwargs": dict(suite.facts.get("sampling") or {}),
        "metadata": {"recipe": suite.recipe, "parts": suite.recipe_parts},
    }


def junit_xml(results: Results) -> str:
    """One test case a problem: passed when most of its samples are right; skipped when none counts."""
    root = ET.Element("testsuites", name=results.model)
    for suite in results.suites.values():
        group = ET.SubElement(root, "testsuite", name=suite.name, tests=str(len(suite.problems)))
        for problem in suite.problems:
            seconds = math.fsum(r.sample.latency_seconds for r in problem.records)
            case = ET.SubElement(
                group, "testcase", classname=suite.name, name=problem.id, time=f"{seconds:.3f}"
            )
            right, count = problem.count()
            if count == 0:
                ET.SubElement(case, "skipped", message="no sample was scored")
            elif 2 * right <= count:
                ET.SubElement(case, "failure", message=f"{right} of {count} samples are right")
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
