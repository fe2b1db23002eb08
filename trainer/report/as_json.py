"""A run's report as JSON: facts, gain, alarms, breaks, and every metric over its iterations."""

import dataclasses
import json
import math
from typing import Any

from trainer.alarms import alarms
from trainer.curves import RunLog
from trainer.gain import Gain
from trainer.metrics import METRICS
from trainer.prompt_mix import breaks_of
from trainer.report.facts import facts_of
from trainer.report.rivals import against


def report_json(log: RunLog, other: RunLog | None = None) -> str:
    """One object; what is not known is null."""
    facts = facts_of(log)
    found: dict[str, Any] = {
        **dataclasses.asdict(facts),
        "learned": None if facts.learned is None else gain_fields(facts.learned),
        "alarms": [dataclasses.asdict(one) for one in alarms(log)],
        "breaks": [dataclasses.asdict(one) for one in breaks_of(log)],
        "iterations": [row["iteration"] for row in log.iterations],
        "metrics": {one.name: [one.read(row) for row in log.iterations] for one in METRICS},
    }
    if other is not None:
        rival = against(other, log)
        found["compared"] = {
            "other": rival.other,
            "iterations": rival.iterations,
            "why_none": rival.why_none,
            "difference": None if rival.found is None else gain_fields(rival.found),
        }
    return json.dumps(_plain(found), indent=2)


def gain_fields(found: Gain) -> dict[str, Any]:
    """With the difference and its interval."""
    families = [dataclasses.asdict(one) | {"difference": one.difference} for one in found.families]
    return {
        **dataclasses.asdict(found),
        "difference": found.difference,
        "interval": dataclasses.asdict(found.interval),
        "families": families,
    }


def _plain(value: Any) -> Any:
    """JSON has no nan."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
