"""Everything the server raises on purpose.

ServerError                    catch this one to catch them all
├── ModelError                 a model cannot be had or used; names the model and the way out
│   ├── ModelNotFound          nothing of that name in the store, on disk or on the hub
│   ├── ModelCorrupt           a folder whose files are missing, cut short or not the ones of its manifest
│   ├── WeightsRefused         new weights that are not for the running model, or are no numbers
│   ├── HubUnreachable         the hub does not answer; the message lists the offline ways
│   └── DoesNotFit             the plan needs more memory than there is; names the largest that fits
├── EngineError                our engine process failed, or is not there
│   ├── EngineStartError       it never became ready; carries the end of its log
│   ├── EngineUnavailable      it is starting or restarting; carries when to try again
│   ├── EngineBroken           it went away while it was answering
│   ├── UpdateFailed           new weights did not go in; the ones before answer
│   └── ProbeFailed            a loaded version does not generate, or not as its trainer says
├── VersionError               a published version cannot be had, moved or removed
│   ├── VersionNotFound        the catalog has no version, or no model, of that name
│   ├── VersionRefused         a folder that is not what its manifest or its parent promise
│   ├── IllegalMove            the state it is in does not lead to the one asked for
│   ├── VersionConflict        another writer was faster; nothing was changed
│   ├── VersionInUse           what is live, canary, draining, previous, pinned or held stays
│   ├── NoPreviousVersion      there is nothing to roll back to
│   ├── PlanImpossible         no way leads to it now; the message has what stands in each
│   ├── GateNeeded             it has not passed the gate, and nobody overrides that
│   └── HistoryBroken          an audit row was changed, or is missing
├── StoreError                 the database cannot be opened, migrated or written
└── ApiError                   an answer for the client, in OpenAI's error shape
"""

from collections.abc import Mapping
from typing import Any


class ServerError(Exception):
    """Base of every error that the server raises on purpose."""


class ModelError(ServerError):
    """A model cannot be had or used."""


class ModelNotFound(ModelError):
    """Nothing of that name in the store, on disk or on the hub."""


class ModelCorrupt(ModelError):
    """A model folder whose files are missing, cut short or not the ones of its manifest."""


class WeightsRefused(ModelError):
    """New weights that are not for the running model, or are no numbers."""


class HubUnreachable(ModelError):
    """The model hub does not answer; the message lists the offline ways."""


class DoesNotFit(ModelError):
    """A model, context or concurrency needs more memory than the machine has."""


class EngineError(ServerError):
    """An engine process failed or is not there."""


class EngineStartError(EngineError):
    """The engine never became ready; the message carries the end of its log."""


class EngineUnavailable(EngineError):
    """The engine is starting or restarting.

    retry_after_seconds: when a caller may reasonably try again.
    """

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EngineBroken(EngineError):
    """The engine went away while it was answering."""


class EngineGone(EngineBroken):
    """The engine went away before it had the request."""


class UpdateFailed(EngineError):
    """New weights did not go in; the engine answers from the ones before, or is started on them again."""


class ProbeFailed(EngineError):
    """A version that an engine has loaded does not generate, or not what its trainer recorded."""


class VersionError(ServerError):
    """A published version cannot be had, moved or removed."""


class VersionNotFound(VersionError):
    """The catalog has no version, or no model, of that name."""


class VersionRefused(VersionError):
    """A folder that is not what its manifest or its parent promise."""


class IllegalMove(VersionError):
    """The state that a version is in does not lead to the one asked for."""


class VersionConflict(VersionError):
    """Another writer was faster; nothing was changed."""


class VersionInUse(VersionError):
    """What is live, canary, draining, previous, pinned or held stays."""


class NoPreviousVersion(VersionError):
    """There is nothing to roll back to."""


class PlanImpossible(VersionError):
    """No way leads to the version now; the message has what stands in each."""


class GateNeeded(VersionError):
    """The version has not passed the gate, and nobody overrides that."""


class HistoryBroken(VersionError):
    """An audit row was changed, or is missing."""


class StoreError(ServerError):
    """The database cannot be opened, migrated or written."""


class ApiError(ServerError):
    """An answer for the client, in OpenAI's error shape.

    status: HTTP status. kind: OpenAI's `type`. code: OpenAI's machine-readable `code`.
    param: the request field at fault. retry_after_seconds: sent as `Retry-After`, rounded up.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None,
        kind: str = "invalid_request_error",
        param: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.kind = kind
        self.param = param
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> Mapping[str, Any]:
        """The JSON body that OpenAI clients parse into their error classes."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }
