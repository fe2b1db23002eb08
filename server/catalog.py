"""The served models: which name means which engine, and what each can do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from server.engine import Engine, LoadedWeights
from server.errors import ApiError
from server.families import Family
from server.lanes import Admission
from server.protocol import ModelCard
from server.settings import Lane, Role
from server.versions import Versions

SAMPLER_LANES: tuple[Lane, ...] = ("eval", "train")


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedModel:
    """One model as clients see it, with the engine behind it.

    parent: the model that an adapter changes; its own are the name, the versions and the role.
    """

    name: str
    aliases: tuple[str, ...]
    root: str
    family: Family
    max_model_len: int
    has_chat_template: bool
    engine: Engine
    admission: Admission
    versions: Versions
    role: Role = "serving"
    most_adapters: int = 0
    parent: str | None = None
    created: int = field(default_factory=lambda: int(time.time()))

    def need_lane(self, lane: Lane) -> None:
        """Raise ApiError 403 for a lane in which people might meet weights that passed no gate."""
        if self.role == "sampler" and lane not in SAMPLER_LANES:
            raise ApiError(
                403,
                f"The model {self.name!r} is a sampler of a training run: only the lanes"
                f" {' and '.join(SAMPLER_LANES)} may name it; set the header x-codeloop-lane, or name"
                " another model.",
                kind="permission_error",
                code="lane_not_allowed",
                param="model",
            )

    def fingerprint(self, mark: int) -> str:
        """What an answer names as its origin; mark: of `versions`, from its beginning."""
        name = self.parent or self.name
        return f"{name}@{self.versions.since(mark)}"

    def card(self) -> ModelCard:
        """Its entry in /v1/models; editors read `max_model_len` as the context length."""
        return ModelCard(
            id=self.name,
            created=self.created,
            root=self.root,
            parent=self.parent,
            max_model_len=self.max_model_len,
            aliases=list(self.aliases),
            family=self.family.name,
            role=self.role,
            version=self.versions.weights.version,
            weights_digest=self.versions.weights.digest,
            capabilities=[
                "completions",
                *(["chat"] if self.has_chat_template else []),
                *(["reasoning"] if self.family.reasoning_parser else []),
                *(["tools"] if self.family.tool_parser else []),
                *(["infill"] if self.family.fim else []),
            ],
        )


class Catalog:
    """All served models, the first is the default; and the adapters loaded beside them."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self.models = tuple(models)
        self._by_name = {name: model for model in models for name in (model.name, *model.aliases)}
        self._adapters: dict[str, ServedModel] = {}

    def adapters(self, model: ServedModel) -> list[ServedModel]:
        """Those loaded beside it, oldest first."""
        return [adapter for adapter in self._adapters.values() if adapter.parent == model.name]

    def adapter(self, name: str) -> ServedModel | None:
        """The loaded adapter of that name."""
        return self._adapters.get(name)

    def add_adapter(self, model: ServedModel, weights: LoadedWeights) -> ServedModel:
        """A loaded adapter, under a name that says its version."""
        name = adapter_name(model, weights.version)
        adapter = replace(
            model,
            name=name,
            aliases=(),
            root=weights.folder,
            versions=Versions(name, weights),
            role="sampler",
            most_adapters=0,
            parent=model.name,
            created=int(time.time()),
        )
        self._adapters[name] = adapter
        return adapter

    def remove_adapter(self, name: str) -> None:
        """It is not loaded any more."""
        del self._adapters[name]

    def find(self, name: str | None) -> ServedModel:
        """The model of that name or alias; the default for None. Raises ApiError 404."""
        if name is None:
            return self.models[0]
        if model := self._by_name.get(name) or self._adapters.get(name):
            return model
        served = ", ".join(model.name for model in self.models)
        raise ApiError(
            404,
            f"The model {name[:200]!r} does not exist here. Served models: {served}.",
            code="model_not_found",
            param="model",
        )


def adapter_name(model: ServedModel, version: str) -> str:
    """The name that an adapter has for as long as it is loaded."""
    return f"{model.name}@{version}"
