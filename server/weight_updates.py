"""New weights for served models, from the request of an admin or a trainer to the engine and back.

`swap_in_place` and `load_adapter` are the ways in; whoever may use them is decided before, by the
route of a trainer (`admin`), and for users' models by a gate.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.admin_protocol import AdapterCard, ModelWeights, WeightsReport
from server.catalog import Catalog, ServedModel, adapter_name
from server.engine import LoadedWeights
from server.engine_errors import broken, unavailable
from server.errors import ApiError, EngineBroken, EngineUnavailable, UpdateFailed, WeightsRefused

log = logging.getLogger(__name__)


class WeightUpdates:
    """The weights of all models of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def swap_in_place(self, model: ServedModel, folder: Path, version: str) -> WeightsReport:
        """Answer from the folder from now on. Raises ApiError; then the model answers as before.

        This is also how a version is promoted on a model that serves users, once it has passed its
        gate.
        """
        began = time.monotonic()
        if loaded := self._catalog.adapters(model):
            raise ApiError(
                409,
                f"The model {model.name!r} has adapters on it ({', '.join(a.name for a in loaded)}):"
                " they belong to the present weights; unload them first.",
                code="version_exists",
            )
        with model.versions.update(version), _answered():
            facts = await model.engine.verify_weights(folder)
            model.versions.begin_swap(version)
            report = await model.engine.load_weights(folder, version)
            model.versions.settle(report.weights)
        answer = WeightsReport(
            model=model.name,
            version=version,
            previous_version=report.previous_version,
            mode="in_place",
            folder=str(folder),
            weights_digest=facts.digest,
            num_bytes=facts.num_bytes,
            pause_seconds=report.pause_seconds,
            verify_seconds=facts.seconds,
            total_seconds=time.monotonic() - began,
        )
        log.info("weights swapped", extra=answer.model_dump())
        return answer

    async def load_adapter(self, model: ServedModel, folder: Path, version: str) -> WeightsReport:
        """Answer as MODEL@VERSION with the adapter in the folder. Raises ApiError."""
        began = time.monotonic()
        name = adapter_name(model, version)
        self._need_place(model, name)
        with model.versions.update(version), _answered():
            facts = await model.engine.load_adapter(name, folder)
            weights = LoadedWeights(version=version, folder=str(folder), digest=facts.digest)
            self._catalog.add_adapter(model, weights)
        answer = WeightsReport(
            model=name,
            version=version,
            previous_version=model.versions.weights.version,
            mode="adapter",
            folder=str(folder),
            weights_digest=facts.digest,
            num_bytes=facts.num_bytes,
            pause_seconds=0.0,
            verify_seconds=facts.seconds,
            total_seconds=time.monotonic() - began,
        )
        log.info("adapter loaded", extra=answer.model_dump())
        return answer

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter; answers under way with it end as they can. Raises ApiError."""
        adapter = self._catalog.adapter(name)
        if adapter is None:
            raise ApiError(
                404,
                f"There is no adapter {name[:200]!r}; GET /admin/weights lists those that are loaded.",
                code="model_not_found",
            )
        if self._catalog.is_answering(name):
            raise ApiError(
                409,
                f"The adapter {name!r} answers users: promote another version or roll back first.",
                code="version_in_use",
            )
        model = self._catalog.find(adapter.parent)
        with model.versions.update(adapter.versions.weights.version), _answered():
            # No request may name it any more before the engine forgets it.
            self._catalog.remove_adapter(name)
            await model.engine.unload_adapter(name)

    def state(self) -> list[ModelWeights]:
        """What every model answers from."""
        return [self._state(model) for model in self._catalog.models]

    def _state(self, model: ServedModel) -> ModelWeights:
        weights = model.versions.weights
        return ModelWeights(
            model=model.name,
            role=model.role,
            version=weights.version,
            folder=weights.folder,
            weights_digest=weights.digest,
            state="updating" if model.versions.is_updating else "live",
            adapters=[
                AdapterCard(
                    model=adapter.name,
                    version=adapter.versions.weights.version,
                    folder=adapter.versions.weights.folder,
                    weights_digest=adapter.versions.weights.digest,
                )
                for adapter in self._catalog.adapters(model)
            ],
        )

    def _need_place(self, model: ServedModel, name: str) -> None:
        num_loaded = len(self._catalog.adapters(model))
        if not model.most_adapters:
            raise ApiError(
                400,
                f"The engine of {model.name!r} runs without adapters: set adapters in its settings"
                " and start it again, or send the merged weights with mode in_place.",
                code="invalid_value",
                param="mode",
            )
        if self._catalog.adapter(name):
            raise ApiError(
                409,
                f"The adapter {name!r} is loaded already, and a name keeps its meaning; give another"
                " version, or unload it first.",
                code="version_exists",
                param="version",
            )
        if num_loaded >= model.most_adapters:
            raise ApiError(
                409,
                f"The model {model.name!r} has {num_loaded} adapters, all that its settings allow;"
                " unload one first.",
                code="version_exists",
                param="version",
            )


@contextmanager
def _answered() -> Iterator[None]:
    """What engines raise, as answers for clients."""
    try:
        yield
    except WeightsRefused as error:
        raise ApiError(
            422, f"The weights are refused: {error}.", code="weights_refused", param="folder"
        ) from error
    except UpdateFailed as error:
        raise ApiError(502, f"{error}.", kind="server_error", code="update_failed") from error
    except EngineUnavailable as error:
        raise unavailable(error) from error
    except EngineBroken as error:
        raise broken(error) from error
