"""What a swap did: the plan, the pause, checksums, probe differences, and how every request under way ended."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from server.exchange import Ending
from server.swap_plan import SwapPlan
from server.version_probe import ProbeReport

MOST_LISTED = 2000
"""Requests listed one by one in the evidence of a transition; past it they are counted."""
WHOLE = "completed"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A version that an engine has loaded and that was probed.

    expected_digest: by the catalog; weights_digest: of the bytes that the engine read, None for weights
    that it was started on. pause_seconds: during which no request made a token. restored: what a
    failure put back.
    """

    weights_digest: str | None
    expected_digest: str
    num_bytes: int
    verify_seconds: float
    pause_seconds: float
    probe: ProbeReport


@dataclass(frozen=True, kw_only=True)
class SwapReport:
    """requests: how those under way at the swap ended; None while some still go on (`num_under_way`)."""

    plan: SwapPlan
    prepared: Prepared
    total_seconds: float
    num_under_way: int
    requests: tuple[Ending, ...] | None = None

    def with_requests(self, endings: Sequence[Ending]) -> "SwapReport":
        """The report when the last of them has ended."""
        return replace(self, requests=tuple(endings))

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON and for the evidence of a transition."""
        ends: dict[str, Any] = {"requests": None}
        if self.requests is not None:
            kinds = sorted({each.outcome for each in self.requests})
            ends = {
                "ended": {k: sum(each.outcome == k for each in self.requests) for k in kinds},
                "mixed": sum("," in each.versions for each in self.requests),
                "requests": [asdict(each) for each in self.requests[:MOST_LISTED]],
            }
        return {
            "plan": self.plan.as_data(),
            "weights_digest": self.prepared.weights_digest,
            "expected_digest": self.prepared.expected_digest,
            "num_bytes": self.prepared.num_bytes,
            "verify_seconds": round(self.prepared.verify_seconds, 4),
            "pause_seconds": round(self.prepared.pause_seconds, 4),
            "probe": self.prepared.probe.as_data(),
            "total_seconds": round(self.total_seconds, 4),
            "num_under_way": self.num_under_way,
            **ends,
        }
