"""The seam between the gateway and whatever generates tokens.

An engine speaks OpenAI's HTTP routes on its own side; the gateway passes bytes through. What
crosses the seam are the values below. Implementations: `engine_process` supervises a child
(vLLM's host or the scripted engine) on a unix socket.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

FIRST_VERSION = "0"
"""Of the weights that an engine was started on."""


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """What an engine generates from. digest: None when the folder was never verified."""

    version: str
    folder: str
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class SwapReport:
    """What an update did. pause_seconds: during which no request made a token."""

    weights: LoadedWeights
    previous_version: str
    num_bytes: int
    verify_seconds: float
    pause_seconds: float


@dataclass(frozen=True, kw_only=True)
class FolderFacts:
    """A folder of weights that was verified. seconds: that it took."""

    digest: str
    num_bytes: int
    seconds: float


class EngineState(Enum):
    """Exactly one of these at a time."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class EngineRequest:
    """One call of an engine's HTTP surface.

    path: as OpenAI names it, with the leading slash. body: JSON bytes, empty for GET.
    request_id: unique; the engine's own ids contain it, so that `abort` finds them.
    """

    method: str = "POST"
    path: str
    body: bytes = b""
    request_id: str = ""


@dataclass(frozen=True, kw_only=True)
class TokenCount:
    """Tokens of one request as the engine counted them, whatever became of the request."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0


class EngineResponse(Protocol):
    """An answer whose body arrives in pieces, as the engine produced them.

    `chunks` and `read` raise EngineBroken when the engine goes away before the end.
    """

    @property
    def status(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    def chunks(self) -> AsyncIterator[bytes]: ...
    async def read(self) -> bytes: ...
    def close(self) -> None:
        """Let go of the connection; safe to call twice, and needed even after the end."""


@dataclass(frozen=True, kw_only=True)
class EngineHealth:
    """What a probe or a person sees of an engine.

    has_started: it was ready at least once. restarts: how often a child was started again after it
    died. detail: a sentence for people.
    """

    state: EngineState
    has_started: bool = False
    restarts: int = 0
    detail: str = ""
    retry_after_seconds: float = 0.0


class Engine(Protocol):
    """Something that generates tokens, and is looked after."""

    def begin_on(
        self, weights: LoadedWeights | None, adapters: Mapping[str, LoadedWeights]
    ) -> None:
        """Load these too at the next start, before anybody is answered. Only for a stopped engine.

        adapters: by the name that requests call them. What has another digest by then is refused.
        """

    def restart_on(self, weights: LoadedWeights | None) -> None:
        """End the child at once; the one in its place loads these, or the model itself for None."""

    async def start(self) -> None:
        """Return once a real generation succeeded. Raises EngineStartError."""

    async def stop(self, *, drain_seconds: float) -> None:
        """Let requests end for at most `drain_seconds`, then end the engine. Never raises."""

    def health(self) -> EngineHealth: ...

    async def forward(self, request: EngineRequest) -> EngineResponse:
        """Send a request on. Raises EngineUnavailable before, EngineBroken during the call."""

    async def abort(self, request_id: str) -> TokenCount | None:
        """Stop a request and return what it had used; None when the engine knows nothing of it."""

    async def verify_weights(self, folder: Path) -> FolderFacts:
        """Look a folder over while requests go on. Raises WeightsRefused, EngineUnavailable, EngineBroken."""

    async def load_weights(self, folder: Path, version: str) -> SwapReport:
        """Generate from the folder from now on, and after every restart.

        Raises WeightsRefused before the engine is touched, UpdateFailed after that, EngineUnavailable.
        """

    async def load_adapter(self, name: str, folder: Path) -> FolderFacts:
        """Answer requests for the model `name` with the adapter too. Raises as `load_weights` does."""

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter. Raises UpdateFailed, EngineUnavailable."""
