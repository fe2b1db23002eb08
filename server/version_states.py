"""The states of a version, and the moves between them.

```text
staged ─► verified ─► gated ─► canary ─► live ─► draining ─► retired ─► removed
   any before live, and what was live once ─► rejected ─► removed
   canary ─► gated: withdrawn without a decision      gated ─► live: promoted without a canary
   draining, retired ─► live: restored                what is not in use ─► removed
```

A person who overrides the gate moves `verified` to `gated` like the gate does, under their own name.
"""

from collections.abc import Mapping
from enum import StrEnum

from server.errors import IllegalMove


class State(StrEnum):
    """Where a version stands."""

    STAGED = "staged"
    """Published, not yet verified."""
    VERIFIED = "verified"
    """Every file, tensor and number was checked against its manifest and its parent."""
    GATED = "gated"
    """Passed the evaluation, or a person's override."""
    CANARY = "canary"
    """Answers a share of the traffic; at most one a model."""
    LIVE = "live"
    """Answers the users; at most one a model."""
    DRAINING = "draining"
    """Was live; answers under way may still be drawn from it."""
    RETIRED = "retired"
    """Was live, and nothing is drawn from it any more."""
    REJECTED = "rejected"
    """Failed; it goes nowhere but away."""
    REMOVED = "removed"
    """Its folder is gone; the row and its history stay, and its name is not given again."""


MOVES: Mapping[State, frozenset[State]] = {
    State.STAGED: frozenset({State.VERIFIED, State.REJECTED, State.REMOVED}),
    State.VERIFIED: frozenset({State.GATED, State.REJECTED, State.REMOVED}),
    State.GATED: frozenset({State.CANARY, State.LIVE, State.REJECTED, State.REMOVED}),
    State.CANARY: frozenset({State.LIVE, State.GATED, State.REJECTED}),
    State.LIVE: frozenset({State.DRAINING}),
    State.DRAINING: frozenset({State.RETIRED, State.LIVE, State.REJECTED}),
    State.RETIRED: frozenset({State.LIVE, State.REJECTED, State.REMOVED}),
    State.REJECTED: frozenset({State.REMOVED}),
    State.REMOVED: frozenset(),
}

WAY_OUT: Mapping[State, str] = {
    State.STAGED: "verify it first",
    State.VERIFIED: "it goes live through the gate, or a person's override of it",
    State.GATED: "promote it",
    State.CANARY: "promote it, or withdraw it",
    State.LIVE: "promote another, or roll back",
    State.DRAINING: "let it drain",
    State.RETIRED: "promote it again, or remove it",
    State.REJECTED: "publish a version that passes",
    State.REMOVED: "publish it again under another name",
}


def check_move(name: str, from_state: State, to_state: State) -> None:
    """Raise IllegalMove unless the table has the move."""
    if to_state in MOVES[from_state]:
        return
    targets = ", ".join(sorted(MOVES[from_state])) or "nothing"
    raise IllegalMove(
        f"{name} is {from_state} and cannot become {to_state}: what is {from_state} becomes {targets};"
        f" {WAY_OUT[from_state]}"
    )
