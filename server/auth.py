"""Who is calling, in which lane: from the request's headers to a `Caller`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from server.errors import ApiError
from server.keys import ApiKey, KeyRing
from server.settings import LANES, Lane, Scope

LANE_HEADER = "x-codeloop-lane"
LANE_SCOPES: Mapping[Lane, Scope] = {
    "ide": "complete",
    "chat": "complete",
    "eval": "evaluate",
    "train": "train",
}
"""The scope that a key needs for a lane, beside having the lane itself."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated key and the lane its request runs in."""

    key: ApiKey
    lane: Lane


class Authenticator:
    """Turns headers into callers. OIDC tokens will enter here, beside keys."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """The caller of a generation route. Raises ApiError 401 or 403."""
        key = await self.key(headers)
        return Caller(key=key, lane=choose_lane(key, headers.get(LANE_HEADER)))

    async def key(self, headers: Mapping[str, str]) -> ApiKey:
        """The valid key in the headers. Raises ApiError 401."""
        secret = _secret(headers)
        is_known, key = self._keys.cached(secret)
        if not is_known:
            key = await asyncio.to_thread(self._keys.find, secret)
        if key is None:
            raise ApiError(
                401,
                "Incorrect API key provided: it is unknown, revoked or past its day."
                " `codeloop keys create` makes one.",
                code="invalid_api_key",
            )
        return key


def require_scope(key: ApiKey, scope: Scope) -> None:
    """Raise ApiError 403 unless the key has the scope."""
    if scope not in key.scopes:
        raise ApiError(
            403,
            f"The key {key.prefix} lacks the scope {scope!r}; it has {sorted(key.scopes)}."
            " `codeloop keys create --scope` makes one that has it.",
            kind="permission_error",
            code="insufficient_scope",
        )


def choose_lane(key: ApiKey, asked: str | None) -> Lane:
    """The lane asked for, else the key's first. Raises ApiError 400 or 403."""
    if asked is None:
        lane = key.lanes[0]
    else:
        found = next((lane for lane in LANES if lane == asked.strip().lower()), None)
        if found is None:
            raise ApiError(
                400,
                f"{LANE_HEADER} is {asked[:40]!r}: the lanes are {', '.join(LANES)}.",
                code="invalid_lane",
                param=LANE_HEADER,
            )
        lane = found
    if lane not in key.lanes:
        raise ApiError(
            403,
            f"The key {key.prefix} may not use the {lane} lane; it has {', '.join(key.lanes)}.",
            kind="permission_error",
            code="lane_not_allowed",
        )
    require_scope(key, LANE_SCOPES[lane])
    return lane


def _secret(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    secret = token.strip() if scheme.lower() == "bearer" else ""
    secret = secret or headers.get("x-api-key", "").strip()
    if not secret:
        raise ApiError(
            401,
            "No API key: send the header `Authorization: Bearer cl-…` (or `x-api-key`).",
            code="invalid_api_key",
        )
    return secret
