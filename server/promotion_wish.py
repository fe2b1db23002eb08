"""What somebody asks to be made live, and whether it may be: the gate's verdict, or a person's override."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.canary import Split
from server.errors import GateNeeded, IllegalMove
from server.gate_evidence import GateVerdict, hold_to
from server.swap_plan import AskedWay
from server.version_catalog import VersionCatalog
from server.version_record import Version
from server.version_states import WAY_OUT, State

PROMOTABLE = frozenset({State.GATED, State.CANARY, State.DRAINING, State.RETIRED})
LEAST_REQUESTS = 50
"""Answers of a canary after which it is decided, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asks for. override: go past the gate; the reason is theirs then.

    split, least_requests: of a canary; without a split all traffic goes there at once.
    """

    model: str
    version: str
    actor: str
    reason: str
    way: AskedWay = "auto"
    override: bool = False
    split: Split | None = None
    least_requests: int = LEAST_REQUESTS
    evidence: Mapping[str, Any] = field(default_factory=dict)


def promotable(versions: VersionCatalog, wish: Wish) -> Version:
    """The version that may be made live, or tried. Raises VersionNotFound, IllegalMove, GateNeeded."""
    found = versions.get(wish.model, wish.version)
    if found.state is State.LIVE:
        raise IllegalMove(f"{found.name} is live already: there is nothing to promote")
    if found.state is State.CANARY and wish.split is not None:
        raise IllegalMove(
            f"{found.name} is the canary already: promote it without a share, or withdraw it"
        )
    is_new = found.state is State.GATED or (found.state is State.VERIFIED and wish.override)
    if wish.split is not None and found.state in PROMOTABLE and not is_new:
        raise IllegalMove(
            f"{found.name} is {found.state}: a canary was never live before; promote it without a share"
        )
    if found.state in PROMOTABLE:
        return found
    if found.state is not State.VERIFIED:
        raise IllegalMove(
            f"{found.name} is {found.state} and cannot be promoted: {WAY_OUT[found.state]}"
        )
    if not wish.override:
        raise GateNeeded(
            f"{found.name} has not passed the gate: give its verdict (`codeloop eval gate`), or"
            " override with a reason"
        )
    return found


def override_gate(versions: VersionCatalog, found: Version, wish: Wish) -> None:
    """A person's word in the place of the gate's, under their name."""
    versions.advance(
        found.model,
        found.version,
        State.GATED,
        actor=wish.actor,
        reason=wish.reason,
        evidence={"override": True},
    )


def take_verdict(
    versions: VersionCatalog, model: str, version: str, verdict: GateVerdict, actor: str
) -> Version:
    """Passed → gated, failed → rejected, inconclusive → as it was. Raises IllegalMove, GateNeeded."""
    found = versions.get(model, version)
    if found.state is not State.VERIFIED:
        raise IllegalMove(
            f"{found.name} is {found.state}: the gate decides about what is verified;"
            f" {WAY_OUT[found.state]}"
        )
    judged = hold_to(verdict, found, versions.live(model))
    if verdict.answer == "inconclusive":
        return found
    state = State.GATED if verdict.answer == "passed" else State.REJECTED
    return versions.advance(
        model,
        version,
        state,
        actor=actor,
        reason=judged.reason,
        evidence=judged.evidence,
        scores=judged.scores,
    )
