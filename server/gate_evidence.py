"""The verdict of `codeloop eval gate` as evidence for a version: read, held to the version, kept.

The server measures nothing here and believes the digests only: a verdict about other weights, or about
another live version than the present one, is no evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.errors import GateNeeded
from server.version_record import Score, Version


class SuiteScore(BaseModel):
    """One suite of a verdict."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    suite: Annotated[str, Field(min_length=1, max_length=200)]
    score: float
    low: float
    high: float
    num_problems: int | None = None


class GateVerdict(BaseModel):
    """POST /admin/versions/{name}/gate: what `codeloop eval gate --json` prints."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    answer: Literal["passed", "failed", "inconclusive"]
    candidate_weights: str
    """Digest of the weights that were evaluated."""
    live_weights: str = ""
    """Digest of those that they were compared with; empty for a gate of floors alone."""
    evidence: Annotated[list[SuiteScore], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict that is about the version."""

    verdict: GateVerdict

    @property
    def scores(self) -> dict[str, Score]:
        """By suite."""
        return {
            each.suite: Score(
                value=each.score, low=each.low, high=each.high, num_problems=each.num_problems
            )
            for each in self.verdict.evidence
        }

    @property
    def evidence(self) -> Mapping[str, Any]:
        """All of the verdict, for the audited row."""
        return {"gate": self.verdict.model_dump()}

    @property
    def reason(self) -> str:
        """In a sentence."""
        suites = ", ".join(
            f"{each.suite} {100 * each.score:.1f} ({100 * each.low:.1f} to {100 * each.high:.1f})"
            for each in self.verdict.evidence
        )
        return f"the gate's answer is {self.verdict.answer}: {suites}"


def hold_to(verdict: GateVerdict, version: Version, live: Version | None) -> Judged:
    """The verdict as evidence for the version. Raises GateNeeded when it is about something else."""
    if verdict.candidate_weights != version.weights_digest:
        raise GateNeeded(
            f"the gate's verdict is about weights {verdict.candidate_weights[:12] or 'unknown'}, but"
            f" {version.name} has {version.weights_digest[:12]}: evaluate that version"
        )
    if verdict.live_weights and live and verdict.live_weights != live.weights_digest:
        raise GateNeeded(
            f"the gate compared {version.name} with weights {verdict.live_weights[:12]}, but"
            f" {live.name} is live with {live.weights_digest[:12]}: run the gate against that"
        )
    return Judged(verdict=verdict)
