"""What an operator may set about the server: the table `[server]` of the settings file.

Every field's docstring is also its text in `codeloop config example` and in the manual.
"""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Lane = Literal["ide", "chat", "eval", "train"]
LANES: tuple[Lane, ...] = ("ide", "chat", "eval", "train")
"""The lanes, from the one that is served first to the one that gives way to all."""

Role = Literal["serving", "sampler"]

Scope = Literal["complete", "evaluate", "train", "admin", "audit"]
SCOPES: tuple[Scope, ...] = ("complete", "evaluate", "train", "admin", "audit")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LaneSettings(_Table):
    """One lane: who waits where, and for how long."""

    share: float = Field(gt=0, le=1)
    """Largest fraction of a model's concurrency that this lane and those below may hold together."""
    queue: int = Field(ge=0)
    """Most requests waiting for a slot; one more is refused at once with 429 and Retry-After."""
    queue_seconds: float = Field(gt=0)
    """Longest a request waits for a slot; past it the answer is 429 and Retry-After."""
    request_seconds: float = Field(gt=0)
    """Longest a request may take in all; past it a stream ends with an error event, a plain call with 504."""


class LanesSettings(_Table):
    """The four lanes, highest priority first; a key that is left out keeps the lane's default."""

    ide: LaneSettings = LaneSettings(share=1.0, queue=64, queue_seconds=2, request_seconds=60)
    """Inline completion: short answers that are worthless when late."""
    chat: LaneSettings = LaneSettings(share=0.75, queue=128, queue_seconds=30, request_seconds=1800)
    """People who wait for an answer on their screen; the lane of a key that names none."""
    eval: LaneSettings = LaneSettings(share=0.5, queue=512, queue_seconds=600, request_seconds=7200)
    """Benchmark runs, on spare capacity."""
    train: LaneSettings = LaneSettings(
        share=0.5, queue=1024, queue_seconds=600, request_seconds=7200
    )
    """Rollouts of a training run, on what is left."""

    @model_validator(mode="before")
    @classmethod
    def _keep_defaults_of_keys_left_out(cls, tables: Any) -> Any:
        if not isinstance(tables, dict):
            return tables
        return {
            lane: cls.model_fields[lane].default.model_dump() | table
            if lane in LANES and isinstance(table, dict)
            else table
            for lane, table in tables.items()
        }


class ModelSettings(_Table):
    """One served model and the engine that runs it."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._:/-]+$")
    """The name that clients send as `model`."""
    source: str = ""
    """A name in the model store, a folder, or a hub id; empty means the same as `name`."""
    aliases: tuple[str, ...] = ()
    """Other names that clients may send for it."""
    engine: Literal["vllm", "scripted"] = "vllm"
    """`vllm` runs the model; `scripted` replays prepared tokens and needs no model at all."""
    family: str = ""
    """Model family (a file of server/families); empty means recognised from the model itself."""
    context_tokens: int | None = Field(default=None, ge=16)
    """Longest prompt plus answer; unset means the family's default, or the model's own limit if smaller."""
    concurrency: int = Field(default=32, ge=1)
    """Most requests in the engine at once; `codeloop models plan` computes what memory allows."""
    kv_cache_bytes: int | None = Field(default=None, ge=64 * 2**20)
    """Memory for the KV cache; unset means 2 GiB on a CPU and what the GPU has left on a GPU."""
    kv_cache_dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2"] = "auto"
    """Precision of the KV cache; `auto` is the model's own."""
    tensor_parallel: int = Field(default=1, ge=1)
    """GPUs that one layer is split over."""
    pipeline_parallel: int = Field(default=1, ge=1)
    """Groups of GPUs that the layers are divided among."""
    compile: bool = False
    """Compile the model on a CPU machine: up to a quarter faster, about a minute more to start."""
    role: Role = "serving"
    """`sampler` answers the train and eval lanes only, and takes new weights from a trainer at any time."""
    adapters: int = Field(default=0, ge=0, le=64)
    """Most LoRA adapters loaded beside the model at once; 0 starts the engine without them, which is faster."""
    adapter_rank: Literal[8, 16, 32, 64, 128, 256] = 32
    """Largest rank of an adapter; more takes memory and speed from all."""
    engine_arguments: tuple[str, ...] = ()
    """Further vLLM arguments, as on its command line; those that codeloop sets itself are refused."""
    script: Path | None = None
    """Scripted engine only: the TOML file with its tokens, pace and faults."""

    @model_validator(mode="after")
    def _script_only_with_scripted_engine(self) -> Self:
        if self.script is not None and self.engine != "scripted":
            raise ValueError(
                f"script is set to {self.script} but engine is {self.engine!r}: a script drives the"
                " scripted engine only; set engine = 'scripted' or drop script"
            )
        return self


class TlsSettings(_Table):
    """Certificate and key of the listening socket."""

    certificate: Path
    """PEM file with the certificate chain."""
    private_key: Path
    """PEM file with its private key."""


class ServerSettings(_Table):
    """The gateway, its lanes and its models."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all interfaces."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one and prints it."""
    tls: TlsSettings | None = None
    """TLS for the listening socket; unset means plain HTTP, for loopback or behind a proxy."""
    models: tuple[ModelSettings, ...] = ()
    """The served models; the first is the default. Empty means the embedded default model."""
    lanes: LanesSettings = LanesSettings()
    """Priority lanes."""
    body_bytes: int = Field(default=16 * 2**20, ge=1024)
    """Largest request body; past it the answer is 413."""
    header_seconds: float = Field(default=10.0, gt=0)
    """Longest a client may take to send its headers, and then its body; past it the answer is 408."""
    keep_alive_seconds: float = Field(default=10.0, gt=0)
    """Silence in a stream after which a comment is sent, so that proxies do not close it."""
    start_seconds: float = Field(default=900.0, gt=0)
    """Longest an engine may take from its start to its first token."""
    drain_seconds: float = Field(default=30.0, ge=0)
    """On SIGTERM, how long requests in flight may go on before they are ended with an error event."""
    metrics_need_key: bool = False
    """Ask for a key with the scope `admin` on /metrics; off because scrapers rarely carry one."""
    max_choices: int = Field(default=128, ge=1)
    """Largest `n` a request may ask for."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [name for model in self.models for name in (model.name, *model.aliases)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"models: the name {twice[0]!r} is given twice: names and aliases must differ;"
                " rename one"
            )
        return self
