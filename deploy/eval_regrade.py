"""`codeloop eval regrade`: grade stored or foreign samples again, without a model."""

import datetime as dt
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.eval_run import Data, RuleName, Unverified, command_without_keys, failures_are_2
from deploy.invocation import invocation
from evaluator.errors import DataInvalid, UsageRefused
from evaluator.foreign import Format, read_samples, write_samples
from evaluator.journal import MANIFEST, Journal, read_manifest, read_records, write_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluator.data import DataFolder
    from evaluator.grading.bench import Bench
    from evaluator.journal import Sample
    from evaluator.problem import Problem
    from evaluator.suite import Suite

    Row = tuple[Suite, Problem, Sample]


def regrade(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE",
            help="A run's folder, or samples of EvalPlus, human-eval or LiveCodeBench.",
            show_default=False,
        ),
    ],
    suite: Annotated[
        str, typer.Option(help="Suite of a file's samples; of a run, the only one to grade.")
    ] = "",
    rules: Annotated[RuleName, typer.Option(help="By which rules to grade.")] = RuleName.STRICT,
    data: Data = None,
    unverified_data: Unverified = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="A folder of its own; else a run's own."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the programs as samples there.")
    ] = None,
    export_format: Annotated[Format, typer.Option(help="Whose format --export has.")] = (
        Format.EVALPLUS
    ),
) -> None:
    """Grade stored or foreign samples, without a model.

    A new grade stands beside the old one in the journal, and counts instead of it.

    codeloop eval regrade runs/2026-01-31-humaneval+ --rules official

    codeloop eval regrade samples.jsonl --suite humaneval+ --out runs/theirs
    """
    from deploy.eval_bench import bench, data_folder
    from deploy.eval_results import print_table

    settings = invocation(ctx).settings
    folder = data_folder(settings, data, is_checked=not unverified_data)
    with failures_are_2(), bench(settings, rules.value) as graders:
        if source.is_dir():
            rows, manifest = _of_run(source, suite, folder, graders)
            place = out or source
            if place != source:
                _copy(source, place)
        else:
            rows, manifest = _of_file(source, suite, folder, graders)
            runs = Path(settings.evaluator.runs).expanduser()
            place = out or runs / f"{_now():%Y-%m-%d-%H%M%S}-{source.stem}"
            _refuse_old(place)
        programs = _graded(rows, manifest, place, graders, is_new=source.is_file())
    if export is not None:
        write_samples(export, export_format, programs)
    print_table(place, rules.value)


def _graded(
    rows: "list[Row]", manifest: dict[str, Any], place: Path, graders: "Bench", *, is_new: bool
) -> "list[tuple[Problem, str]]":
    from evaluator.regrade import regraded

    rules = graders.rules.value
    with Journal(place) as journal:
        if is_new:
            for _, _, sample in rows:
                journal.write_sample(sample)
        programs = []
        problems = {sample.key: problem for _, problem, sample in rows}
        for sample, judgement in regraded(rows, graders):
            journal.write_judgement(sample, rules, judgement)
            programs.append((problems[sample.key], judgement.code))
        write_manifest(place, manifest | {"run": place.name})
    return programs


def _of_run(
    source: Path, only: str, data: "DataFolder", graders: "Bench"
) -> "tuple[list[Row], dict[str, Any]]":
    """A run's samples, and its manifest as it is after the grading."""
    from deploy.eval_bench import suite_named
    from evaluator.asking import in_mode, loaded
    from evaluator.judge import GRADER_VERSION

    manifest, rules = read_manifest(source), graders.rules.value
    names = [only] if only else list(manifest["suites"])
    asked: dict[str, tuple[Suite, dict[str, Problem]]] = {}
    for name in names:
        if name not in manifest["suites"]:
            raise UsageRefused(
                f"{source} has no suite {name!r}: it has {', '.join(manifest['suites'])}"
            )
        facts = manifest["suites"][name]
        suite = suite_named(name, source=str(facts.get("source") or ""))
        problems = loaded(suite, data)
        suite = in_mode(suite, facts["sampling"].get("mode"), problems[0])
        asked[name] = suite, {problem.id: problem for problem in problems}
        _renew_recipe(facts, rules, manifest["rules"], data.digest(suite.files), problems)
    note = {"time": _now().isoformat(timespec="seconds"), "rules": rules, "grader": GRADER_VERSION}
    note["command"] = list(command_without_keys(sys.argv))
    manifest.setdefault("regraded", []).append(note)
    samples = (record.sample for record in read_records(source, rules))
    rows = []
    for sample in samples:
        if sample.suite not in asked:
            continue
        suite, by_id = asked[sample.suite]
        if sample.problem not in by_id:
            raise DataInvalid(
                f"{source} has samples of {sample.problem!r}, which suite {sample.suite} does not"
                " have any more: name the data that it was run on with --data"
            )
        rows.append((suite, by_id[sample.problem], sample))
    return rows, manifest


def _renew_recipe(
    facts: dict[str, Any], rules: str, main_rules: str, data: str, problems: "Sequence[Problem]"
) -> None:
    """Have a suite's recipe say by which grader and data its samples are graded now."""
    from evaluator.asking import tasks_digest
    from evaluator.judge import GRADER_VERSION
    from evaluator.recipe import graded_by, recipe

    parts = facts["recipes"][rules]["parts"]
    new = graded_by(GRADER_VERSION, data if facts["files"] else "", tasks_digest(problems))
    facts["recipes"][rules] = recipe(parts | new)
    if rules == main_rules:
        facts["recipe"] = facts["recipes"][rules]


def _of_file(
    source: Path, name: str, data: "DataFolder", graders: "Bench"
) -> "tuple[list[Row], dict[str, Any]]":
    """A file's samples, and a manifest for them. How they were drawn is not known."""
    from deploy.eval_bench import suite_named
    from evaluator.asking import ask_suite
    from evaluator.completer import Sampling
    from evaluator.manifest import manifest_of

    if not name:
        raise UsageRefused(f"{source} is a file of samples: name their suite with --suite")
    asking = ask_suite(suite_named(name), data, sampling=Sampling())
    name = asking.suite.name
    samples = read_samples(source, name, asking.problems)
    problems = {problem.id: problem for problem in asking.problems}
    manifest = manifest_of(
        [asking],
        run=source.stem,
        rules=graders.rules,
        endpoint={"client": "file", "model": source.stem},
        sandbox=graders.sandbox,
        command=command_without_keys(sys.argv),
    )
    _tell_unknown(manifest["suites"][name], num_samples=1 + max(s.index for s in samples))
    return [(asking.suite, problems[s.problem], s) for s in samples], manifest


def _tell_unknown(facts: dict[str, Any], *, num_samples: int) -> None:
    """Put "unknown" where a run would say how it drew, so that no run has the same recipe."""
    from evaluator.recipe import recipe

    facts["sampling"] = {"n": num_samples}
    unknown = dict.fromkeys(
        ("mode", "prompts", "temperature", "top_p", "max_tokens", "stop", "extraction"), "unknown"
    )
    for rules, found in facts["recipes"].items():
        is_main = facts["recipe"] == found
        parts = found["parts"] | unknown | {"samples": num_samples}
        facts["recipes"][rules] = recipe(parts)
        if is_main:
            facts["recipe"] = facts["recipes"][rules]


def _copy(source: Path, place: Path) -> None:
    _refuse_old(place)
    try:
        shutil.copytree(source, place)
    except OSError as error:
        raise UsageRefused(f"{place} cannot be written ({error}): choose another --out") from error


def _refuse_old(place: Path) -> None:
    if (place / MANIFEST).exists():
        raise UsageRefused(f"{place} holds a run already: choose another --out")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
