"""API keys: made, listed, revoked, and looked up on every request.

A key is `cl-`, eight letters that name it, a dash, and 192 bits of randomness. It is shown once;
the store holds its SHA-256. A slow hash would protect a guessable secret; this one is not, and
a lookup is on the path of every request.
"""

import datetime as dt
import hashlib
import secrets
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from server.errors import ServerError
from server.settings import LANES, SCOPES, Lane, Scope
from server.store import API_KEYS, Store, utc_now

PREFIX_LETTERS = string.ascii_lowercase + string.digits
PREFIX_LENGTH = 8
SECRET_BYTES = 24
FRESH_SECONDS = 2.0
"""How long a looked-up key is trusted: a revoked one stops working within this time."""

MOST_CACHED = 10_000


class KeyNotFound(ServerError):
    """No key of that prefix."""


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """Who a caller is and what the caller may do. The first lane is the one used by default."""

    id: int
    prefix: str
    name: str
    scopes: frozenset[Scope]
    lanes: tuple[Lane, ...]
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None

    def is_valid(self, now: dt.datetime) -> bool:
        """Neither revoked nor past its day."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyRing:
    """The keys of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: dict[str, tuple[float, ApiKey | None]] = {}

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[Scope] = ("complete",),
        lanes: Sequence[Lane] = ("chat", "ide"),
        expires_at: dt.datetime | None = None,
    ) -> tuple[str, ApiKey]:
        """A new key: the secret, to be shown once, and what was stored of it."""
        prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(PREFIX_LENGTH))
        secret = f"cl-{prefix}-{secrets.token_urlsafe(SECRET_BYTES)}"
        row: dict[str, object] = {
            "prefix": prefix,
            "hash": _digest(secret),
            "name": name,
            "scopes": [scope for scope in SCOPES if scope in scopes],
            "lanes": list(dict.fromkeys(lanes)),
            "created_at": utc_now(),
            "expires_at": expires_at,
        }
        self._store.write(sa.insert(API_KEYS), [row])
        key = self._read(API_KEYS.c.prefix == prefix)
        assert key is not None
        return secret, key

    def all(self) -> list[ApiKey]:
        """Every key, revoked ones too, oldest first."""
        return [_key(row) for row in self._store.rows(sa.select(API_KEYS).order_by(API_KEYS.c.id))]

    def revoke(self, prefix: str) -> None:
        """End a key for good. Raises KeyNotFound."""
        wanted = prefix.removeprefix("cl-").partition("-")[0]
        touched = self._store.write(
            sa.update(API_KEYS)
            .where(API_KEYS.c.prefix == wanted, API_KEYS.c.revoked_at.is_(None))
            .values(revoked_at=utc_now())
        )
        if not touched:
            raise KeyNotFound(
                f"no valid key begins with {wanted!r}: `codeloop keys list` shows them all"
            )

    def cached(self, secret: str) -> tuple[bool, ApiKey | None]:
        """(is known, key) from memory alone; an entry is known for FRESH_SECONDS."""
        found = self._cache.get(_digest(secret))
        if found is None or time.monotonic() - found[0] > FRESH_SECONDS:
            return False, None
        return True, self._valid(found[1])

    def find(self, secret: str) -> ApiKey | None:
        """The valid key of that secret, from the database. Blocks: call it in a thread."""
        digest = _digest(secret)
        key = self._read(API_KEYS.c.hash == digest)
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()  # a flood of wrong keys must not grow memory
        self._cache[digest] = (time.monotonic(), key)
        return self._valid(key)

    @staticmethod
    def _valid(key: ApiKey | None) -> ApiKey | None:
        return key if key and key.is_valid(utc_now()) else None

    def _read(self, condition: sa.ColumnElement[bool]) -> ApiKey | None:
        rows = self._store.rows(sa.select(API_KEYS).where(condition))
        return _key(rows[0]) if rows else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    fields = row._asdict()
    return ApiKey(
        id=fields["id"],
        prefix=fields["prefix"],
        name=fields["name"],
        scopes=frozenset(fields["scopes"]),
        lanes=tuple(lane for lane in fields["lanes"] if lane in LANES),
        created_at=fields["created_at"],
        expires_at=fields["expires_at"],
        revoked_at=fields["revoked_at"],
    )
