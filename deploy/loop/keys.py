"""API keys of the loop: new at each start, the ones before revoked, never written to a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.keys import KeyRing
from server.settings import Lane, Scope
from server.store import Store


@dataclass(frozen=True, kw_only=True)
class LoopKeys:
    """work: of trainer, evaluations and promotions. users: of the played users."""

    work: str
    users: str


def new_keys(home: Path, loop: str) -> LoopKeys:
    """Blocks. Raises StoreError."""
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    try:
        ring = KeyRing(store)
        names = {f"loop {loop}", f"loop {loop}, users"}
        for key in ring.all():
            if key.name in names and key.revoked_at is None:
                ring.revoke(key.prefix)

        def made(name: str, scopes: Sequence[Scope], lanes: Sequence[Lane]) -> str:
            return ring.create(name, scopes=scopes, lanes=lanes)[0]

        return LoopKeys(
            work=made(
                f"loop {loop}",
                ("complete", "evaluate", "train", "admin"),
                ("eval", "train", "chat"),
            ),
            users=made(f"loop {loop}, users", ("complete",), ("chat",)),
        )
    finally:
        store.close()
