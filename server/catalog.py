"""The served models: which name means which engine, and what each can do."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from server.blue_green import SecondEngine
from server.canary import Arm, CanaryWatch, Split
from server.engine import Engine, LoadedWeights
from server.errors import ApiError
from server.families import Family
from server.lanes import Admission
from server.protocol import ModelCard, Provenance
from server.settings import Lane, Role
from server.versions import Versions

SAMPLER_LANES: tuple[Lane, ...] = ("eval", "train")


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedModel:
    """One model as clients see it, with the engine behind it.

    parent: the model that an adapter changes; its own are the name, the versions and the role.
    base: the same as a value, for an adapter that answers users. second: how another engine is made.
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
    base: "ServedModel | None" = None
    second: SecondEngine | None = None
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

    def card(self, provenance: Provenance | None = None) -> ModelCard:
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
            provenance=provenance,
            capabilities=[
                "completions",
                *(["chat"] if self.has_chat_template else []),
                *(["reasoning"] if self.family.reasoning_parser else []),
                *(["tools"] if self.family.tool_parser else []),
                *(["infill"] if self.family.fim else []),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Canary:
    """What answers a share of a model's users, and what watches it."""

    model: ServedModel
    split: Split
    watch: CanaryWatch


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one request is answered by. watch, arm: where it counts for a canary's comparison."""

    model: ServedModel
    watch: CanaryWatch | None = None
    arm: Arm = "live"


class Catalog:
    """All served models, the first is the default; what is loaded beside them; and which of it answers.

    A model's own name means what is live, which is its engine's weights or an adapter on them.
    MODEL@VERSION means that version for as long as anything has it loaded.
    """

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = {model.name: model for model in models}
        self._by_name = {
            name: model.name for model in models for name in (model.name, *model.aliases)
        }
        self._adapters: dict[str, ServedModel] = {}
        self._live: dict[str, ServedModel] = {}
        self._canaries: dict[str, Canary] = {}
        self._others: dict[str, ServedModel] = {}
        self._guards: dict[str, CanaryWatch] = {}
        self._doors: dict[str, asyncio.Event] = {}
        self.provenance: Mapping[str, Provenance] = {}
        """MODEL@VERSION → where it comes from, of what the catalog of versions knows."""

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """Every model with the engine that it is served from; the default one first."""
        return tuple(self._models.values())

    def engines(self) -> list[Engine]:
        """All that may run, each once: a canary's and a draining one's too."""
        found = [*self._models.values(), *self._others.values()]
        return list(dict.fromkeys(model.engine for model in found))

    # What answers.

    def live(self, model: str) -> ServedModel:
        """What a served model's own name means now."""
        return self._live.get(model) or self._models[model]

    def canary(self, model: str) -> Canary | None:
        """What answers a share of its users."""
        return self._canaries.get(model)

    def others(self, model: str) -> dict[str, ServedModel]:
        """MODEL@VERSION → what runs on an engine of its own: a canary, or a version that drains."""
        return {
            name: each for name, each in self._others.items() if model in (each.name, each.parent)
        }

    def set_engine(self, model: ServedModel) -> None:
        """The model is served from another engine from now on, and no adapter is live."""
        self._models[model.name] = model
        self._live.pop(model.name, None)

    def set_live(self, model: str, adapter: ServedModel | None) -> None:
        """The model's name means the adapter from now on; for None what its engine has."""
        if adapter is None:
            self._live.pop(model, None)
        else:
            self._live[model] = adapter

    def set_canary(self, model: str, canary: Canary | None) -> None:
        """Let it answer its share from now on; for None nobody."""
        if canary is None:
            self._canaries.pop(model, None)
        else:
            self._canaries[model] = canary

    def set_guard(self, model: str, watch: CanaryWatch | None) -> None:
        """Tell it of every answer to users from now on; for None nobody."""
        if watch is None:
            self._guards.pop(model, None)
        else:
            self._guards[model] = watch

    def set_other(self, name: str, model: ServedModel | None) -> None:
        """MODEL@VERSION runs on an engine of its own; for None no more."""
        if model is None:
            self._others.pop(name, None)
        else:
            self._others[name] = model

    def door(self, model: str) -> asyncio.Event:
        """Set, but for while a model's new requests are to wait before they reach its engine."""
        if model not in self._doors:
            self._doors[model] = asyncio.Event()
            self._doors[model].set()
        return self._doors[model]

    def is_answering(self, name: str) -> bool:
        """Whether users may meet the adapter of that name."""
        canaries = [canary.model for canary in self._canaries.values()]
        return any(each.name == name for each in (*self._live.values(), *canaries))

    def resolve(self, name: str | None) -> ServedModel:
        """The model, its alias or MODEL@VERSION as a user names it. Raises ApiError 404."""
        if name is None:
            return self.live(next(iter(self._models)))
        if name in self._by_name:
            return self.live(self._by_name[name])
        model, at, version = name.rpartition("@")
        if at and model in self._by_name:
            model = self._by_name[model]
            name = f"{model}@{version}"
            loaded = [self.live(model), self._models[model], *self.others(model).values()]
            if canary := self._canaries.get(model):
                loaded.append(canary.model)
            for each in loaded:
                if each.versions.weights.version == version:
                    return each
        return self.find(name)

    def choose(self, name: str | None, *, lane: Lane, request_id: str, key_prefix: str) -> Choice:
        """What answers this request: users of a model with a canary are dealt out. Raises ApiError 404."""
        model = self.resolve(name)
        public = model.parent or model.name
        canary = self._canaries.get(public)
        is_pinned = name is not None and name not in self._by_name
        if is_pinned or lane in SAMPLER_LANES:
            return Choice(model=model)
        if canary is None:
            return Choice(model=model, watch=self._guards.get(public), arm="canary")
        if canary.split.takes(request_id, key_prefix):
            return Choice(model=canary.model, watch=canary.watch, arm="canary")
        return Choice(model=model, watch=canary.watch)

    def card(self, model: ServedModel) -> ModelCard:
        """Its entry in /v1/models, with the version that its name means."""
        live = self.live(model.name) if model.name in self._models else model
        weights = live.versions.weights
        name = f"{model.parent or model.name}@{weights.version}"
        card = model.card(self.provenance.get(name))
        return card.model_copy(
            update={"version": weights.version, "weights_digest": weights.digest}
        )

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

    def put_adapter(self, adapter: ServedModel) -> None:
        """A loaded adapter that may answer users."""
        self._adapters[adapter.name] = adapter

    def remove_adapter(self, name: str) -> None:
        """It is not loaded any more."""
        self._adapters.pop(name, None)

    def find(self, name: str | None) -> ServedModel:
        """The model with its engine, or a loaded adapter; the default for None. Raises ApiError 404."""
        if name is None:
            return self.models[0]
        if name in self._by_name:
            return self._models[self._by_name[name]]
        if model := self._adapters.get(name):
            return model
        served = ", ".join([*self._models, *self._others, *self._adapters])
        raise ApiError(
            404,
            f"The model {name[:200]!r} does not exist here. Served models: {served}.",
            code="model_not_found",
            param="model",
        )


def adapter_name(model: ServedModel, version: str) -> str:
    """The name that an adapter has for as long as it is loaded."""
    return f"{model.name}@{version}"
