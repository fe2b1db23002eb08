"""Which weights a model answers from, now and while any one request ran.

One value a model; it is in exactly one of its states, and one update at a time may change it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from server.engine import FIRST_VERSION, LoadedWeights
from server.errors import ApiError


class Versions:
    """The versions of one model, oldest first.

    A request keeps a `mark` from when it reached the engine; `since` tells what it may have been
    drawn from. While an update is under way that is the version before and the one to come.
    """

    def __init__(self, model: str, weights: LoadedWeights) -> None:
        self.weights = weights
        self._model = model
        self._drawn = [weights.version]
        self._coming: str | None = None
        self._is_updating = False

    @classmethod
    def first(cls, model: str, folder: str, digest: str | None) -> "Versions":
        """Of a model whose engine has just been started."""
        return cls(model, LoadedWeights(version=FIRST_VERSION, folder=folder, digest=digest))

    @property
    def is_updating(self) -> bool:
        """Whether an update has begun and not ended."""
        return self._is_updating

    def mark(self) -> int:
        """To be kept by a request from before it reaches the engine."""
        return len(self._drawn) - 1

    def since(self, mark: int) -> str:
        """Versions that a request with that mark may have been drawn from, as `6` or `6,7`."""
        coming = [self._coming] if self._coming is not None else []
        return ",".join(dict.fromkeys(self._drawn[mark:] + coming))

    @contextmanager
    def update(self, version: str) -> Iterator[None]:
        """For the body of the `with` no other update may begin. Raises ApiError 409 for a second."""
        if self._is_updating:
            raise ApiError(
                409,
                f"The weights of {self._model!r} are being updated already; wait for its end and send"
                f" version {version} again.",
                code="update_in_progress",
            )
        self._is_updating = True
        try:
            yield
        finally:
            self._is_updating = False
            self._coming = None

    def begin_swap(self, version: str) -> None:
        """From now on, until the update ends, answers may come from either version."""
        self._coming = version

    def settle(self, weights: LoadedWeights) -> None:
        """The engine answers from them."""
        self.weights = weights
        self._drawn.append(weights.version)
