"""A version while it is put into an engine: nobody deletes it, and what is wrong with it rejects it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from server.errors import ModelError, ProbeFailed, VersionRefused
from server.version_catalog import VersionCatalog
from server.version_record import Version
from server.version_states import MOVES, State

ACTOR = "server"


@asynccontextmanager
async def in_use(
    versions: VersionCatalog, found: Version, *, on_reject: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """For the body of the `with`. on_reject: awaited when the version was rejected.

    An engine or a machine at fault rejects nothing: the version may be tried again.
    """
    held = versions.hold(found.model, found.version)
    await asyncio.to_thread(held.__enter__)
    try:
        yield
    except (VersionRefused, ModelError, ProbeFailed) as error:
        if await asyncio.to_thread(_reject, versions, found, str(error)):
            await on_reject()
        raise
    finally:
        await asyncio.to_thread(held.__exit__, None, None, None)


def _reject(versions: VersionCatalog, found: Version, reason: str) -> bool:
    now = versions.get(found.model, found.version)
    # A canary that answers is ended by whoever began it, with what it runs on.
    if State.REJECTED not in MOVES[now.state] or now.state is State.CANARY:
        return False
    versions.advance(found.model, found.version, State.REJECTED, actor=ACTOR, reason=reason)
    return True
