"""A run folder, read: what a run came to, suite by suite, under one rule set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.asked import Asked, read_asked
from evaluator.errors import JournalBroken, UsageRefused
from evaluator.journal import Record, read_manifest, read_records
from evaluator.suite_results import ProblemResult, SuiteResults


@dataclass(frozen=True, kw_only=True)
class Results:
    """One run. suites: by name, in the order of the manifest, then of the journal."""

    folder: Path
    rules: str
    manifest: Mapping[str, Any] = field(default_factory=dict)
    suites: Mapping[str, SuiteResults] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """The run's id, or its folder's name."""
        return str(self.manifest.get("run") or self.manifest.get("id") or self.folder.name)

    @property
    def model(self) -> str:
        """What was asked, by the name it has at its endpoint."""
        found = self.manifest.get("model") or self._endpoint.get("model") or "unnamed model"
        return str(found.get("name") or found.get("model") if isinstance(found, Mapping) else found)

    @property
    def weights(self) -> str:
        """The digest of the weights, or "" where the endpoint did not say."""
        model = self.manifest.get("model")
        places = (model if isinstance(model, Mapping) else {}, self._endpoint, self.manifest)
        names = ("weights", "weights_digest", "model_version", "version")
        return next((str(p[n]) for p in places for n in names if p.get(n)), "")

    @property
    def started(self) -> str:
        """When the run began, ISO 8601, or ""."""
        return str(self.manifest.get("started") or self.manifest.get("created") or "")

    @property
    def _endpoint(self) -> Mapping[str, Any]:
        found = self.manifest.get("endpoint")
        return found if isinstance(found, Mapping) else {}

    def suite(self, name: str) -> SuiteResults:
        """One suite's results. Raises UsageRefused when the run did not ask it."""
        if name not in self.suites:
            raise UsageRefused(
                f"{self.folder} has no suite {name!r}: it has {', '.join(self.suites) or 'none'}"
            )
        return self.suites[name]


def read_results(
    folder: Path, rules: str = "strict", *, asked: Mapping[tuple[str, str], Asked] | None = None
) -> Results:
    """Read a run folder. asked: facts of problems where the run wrote none. Raises JournalBroken."""
    manifest = read_manifest(folder)
    known = dict(asked or {}) | read_asked(folder)
    by_suite: dict[str, dict[str, list[Record]]] = {}
    facts = _suite_facts(manifest, folder, rules)
    for name in facts:
        by_suite[name] = {}
    for record in read_records(folder, rules):
        sample = record.sample
        by_suite.setdefault(sample.suite, {}).setdefault(sample.problem, []).append(record)
    suites = {
        name: SuiteResults(
            name=name,
            facts=facts.get(name, {}),
            problems=tuple(
                ProblemResult(
                    id=problem,
                    asked=known.get((name, problem)),
                    records=tuple(sorted(records, key=_place)),
                )
                for problem, records in _in_order(problems, facts.get(name, {}))
            ),
        )
        for name, problems in by_suite.items()
    }
    return Results(folder=folder, rules=rules, manifest=manifest, suites=suites)


def _place(record: Record) -> tuple[int, int]:
    return record.sample.index, record.sample.attempt


def _in_order(
    problems: Mapping[str, list[Record]], facts: Mapping[str, Any]
) -> list[tuple[str, list[Record]]]:
    """By the manifest's order of problems; a journal has them as they were answered."""
    places = {name: place for place, name in enumerate(facts.get("problem_ids") or ())}
    return sorted(problems.items(), key=lambda item: places.get(item[0], len(places)))


def _suite_facts(
    manifest: Mapping[str, Any], folder: Path, rules: str
) -> dict[str, Mapping[str, Any]]:
    """The manifest's table of suites: by name, or a list of rows with a name each.

    The recipe is the one under `rules`, where the manifest has several.
    """
    found = manifest.get("suites") or {}
    if isinstance(found, Mapping):
        rows = dict(found)
    elif isinstance(found, list):
        rows = {str(r["name"] if isinstance(r, Mapping) else r): r for r in found}
    else:
        raise JournalBroken(
            f"{folder}: `suites` of the manifest is a {type(found).__name__}, not a table of suites:"
            " the manifest was changed by hand; take it from a copy"
        )
    return {
        name: {**row, "recipe": (row.get("recipes") or {}).get(rules, row.get("recipe", ""))}
        if isinstance(row, Mapping)
        else {}
        for name, row in rows.items()
    }
