"""The wire types of /admin: weights that are put in, versions that are made live and taken back."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from server.protocol import Number


class WeightsRequest(BaseModel):
    """POST /admin/weights: what a model is to answer from."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[StrictStr, Field(min_length=1)]
    folder: Annotated[StrictStr, Field(pattern=r"^/")]
    """Absolute, on a disk that the server reads."""
    version: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    mode: Literal["in_place", "adapter"] = "in_place"
    allow_ungated: StrictBool = False
    """Put weights that passed no gate before users; needs the scope admin."""


class WeightsReport(BaseModel):
    """What an update did."""

    model: str
    version: str
    previous_version: str
    mode: Literal["in_place", "adapter"]
    folder: str
    weights_digest: str
    num_bytes: int
    pause_seconds: float
    """How long answers under way stood still."""
    verify_seconds: float
    total_seconds: float


class AdapterCard(BaseModel):
    """A loaded adapter."""

    model: str
    version: str
    folder: str
    weights_digest: str | None


class ModelWeights(BaseModel):
    """What one model answers from."""

    model: str
    role: Literal["serving", "sampler"]
    version: str
    folder: str
    weights_digest: str | None
    state: Literal["live", "updating"]
    adapters: list[AdapterCard]


class WeightsList(BaseModel):
    """GET /admin/weights."""

    models: list[ModelWeights]


class Unloaded(BaseModel):
    """DELETE /admin/weights/{model@version}."""

    model: str
    unloaded: Literal[True] = True


class PromotionRequest(BaseModel):
    """POST /admin/promotions: a version that is to go live, or to be tried."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    version: Annotated[StrictStr, Field(min_length=1)]
    """As VERSION, or MODEL@VERSION."""
    model: Annotated[StrictStr, Field(min_length=1)] | None = None
    """Unset means the default model."""
    canary: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Share of users' requests that it answers first; unset means all at once."""
    canary_keys: list[StrictStr] = []
    """Prefixes of keys whose requests all go to the canary."""
    canary_requests: Annotated[StrictInt, Field(ge=1, le=10**6)] = 50
    """Answers of the canary after which it is decided."""
    way: Literal["auto", "adapter", "blue_green", "in_place"] = "auto"
    dry_run: StrictBool = False
    """Only say which way it would go, and why."""
    override: StrictBool = False
    """Go past the gate; needs a reason."""
    reason: Annotated[StrictStr, Field(max_length=2000)] | None = None


class RollbackRequest(BaseModel):
    """POST /admin/rollback."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[StrictStr, Field(min_length=1)] | None = None
    """Unset means the default model."""
    canary: StrictBool = False
    """Withdraw the canary instead, without a decision."""
    reason: Annotated[StrictStr, Field(min_length=1, max_length=2000)] = "asked for"


class Promoted(BaseModel):
    """What a promotion or a roll-back did; of a dry run the plan alone."""

    model: str
    plan: dict[str, Any] | None = None
    report: dict[str, Any] | None = None


class PromotionList(BaseModel):
    """GET /admin/promotions."""

    models: list[dict[str, Any]]


class GateAnswer(BaseModel):
    """What became of a version by the gate's verdict."""

    name: str
    answer: Literal["passed", "failed", "inconclusive"]
    state: str
