"""The served models: which name means which engine, and what each can do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from server.engine import Engine
from server.errors import ApiError
from server.families import Family
from server.lanes import Admission
from server.protocol import ModelCard


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedModel:
    """One model as clients see it, with the engine behind it."""

    name: str
    aliases: tuple[str, ...]
    root: str
    family: Family
    max_model_len: int
    has_chat_template: bool
    engine: Engine
    admission: Admission
    weights_digest: str | None = None
    created: int = field(default_factory=lambda: int(time.time()))

    def card(self) -> ModelCard:
        """Its entry in /v1/models; editors read `max_model_len` as the context length."""
        return ModelCard(
            id=self.name,
            created=self.created,
            root=self.root,
            max_model_len=self.max_model_len,
            aliases=list(self.aliases),
            family=self.family.name,
            weights_digest=self.weights_digest,
            capabilities=[
                "completions",
                *(["chat"] if self.has_chat_template else []),
                *(["reasoning"] if self.family.reasoning_parser else []),
                *(["tools"] if self.family.tool_parser else []),
                *(["infill"] if self.family.fim else []),
            ],
        )


class Catalog:
    """All served models; the first is the default."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self.models = tuple(models)
        self._by_name = {name: model for model in models for name in (model.name, *model.aliases)}

    def find(self, name: str | None) -> ServedModel:
        """The model of that name or alias; the default for None. Raises ApiError 404."""
        if name is None:
            return self.models[0]
        if model := self._by_name.get(name):
            return model
        served = ", ".join(model.name for model in self.models)
        raise ApiError(
            404,
            f"The model {name[:200]!r} does not exist here. Served models: {served}.",
            code="model_not_found",
            param="model",
        )
