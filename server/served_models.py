"""From a model's settings to the model that is served: found, looked over, given an engine."""

import itertools
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from server.blue_green import SecondEngine, free_memory
from server.catalog import ServedModel
from server.cpu_engine import KV_CACHE_BYTES
from server.engine_process import EngineCommand, EngineProcess
from server.errors import DoesNotFit, ModelCorrupt
from server.families import Family, family
from server.lanes import Admission
from server.memory_check import CPU_ENGINE_BYTES, check_memory
from server.model_folder import check_folder
from server.model_manifest import read_manifest
from server.model_store import ModelStore
from server.script import read_script
from server.scripted_engine import scripted_command, scripted_family
from server.settings import LANES, ModelSettings, ServerSettings
from server.versions import Versions
from server.vllm_engine import vllm_command

log = logging.getLogger(__name__)

SCRIPTED_CONTEXT_TOKENS = 8192
SCRIPTED_ENGINE_BYTES = 2**27


def has_gpu() -> bool:
    """Whether an NVIDIA driver is at hand; asked without importing torch."""
    return shutil.which("nvidia-smi") is not None and Path("/dev/nvidiactl").exists()


class ServedModels:
    """Makes served models; starts nothing."""

    def __init__(
        self, settings: ServerSettings, *, home: Path, on_restart: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._home = home
        self._on_restart = on_restart

    def make(self, model: ModelSettings) -> ServedModel:
        """One served model. Raises ModelError when it cannot be had, is damaged or does not fit."""
        return self._scripted(model) if model.engine == "scripted" else self._vllm(model)

    def _scripted(self, model: ModelSettings) -> ServedModel:
        context_tokens = model.context_tokens or SCRIPTED_CONTEXT_TOKENS
        return self._served(
            model,
            scripted_command(model, context_tokens=context_tokens),
            root=str(read_script(model.script).weights or "scripted"),
            engine_bytes=SCRIPTED_ENGINE_BYTES,
            family=scripted_family(),
            context_tokens=context_tokens,
            has_chat_template=True,
        )

    def _vllm(self, model: ModelSettings) -> ServedModel:
        store = ModelStore(self._home / "models")
        folder = store.resolve(model.source or model.name, pull=True, progress=log.info)
        facts = check_folder(folder)
        found = family(model.family) if model.family else facts.family
        context_tokens = choose_context(model, found, facts.max_context_tokens)
        if not has_gpu():
            check_memory(
                facts,
                name=model.name,
                context_tokens=context_tokens,
                kv_cache_bytes=model.kv_cache_bytes or KV_CACHE_BYTES,
                kv_is_fp8=model.kv_cache_dtype != "auto",
            )
        if not facts.has_chat_template:
            log.warning("no chat template: chat is refused, completions are served")
        command = vllm_command(
            model,
            folder=folder,
            family=found,
            context_tokens=context_tokens,
            has_gpu=has_gpu(),
            num_engines=sum(each.engine != "scripted" for each in self._settings.models),
        )
        return self._served(
            model,
            command,
            root=str(folder),
            family=found,
            context_tokens=context_tokens,
            has_chat_template=facts.has_chat_template,
            weights_digest=_digest(folder),
            engine_bytes=_engine_bytes(model, facts.weights_bytes),
        )

    def _served(
        self,
        model: ModelSettings,
        command: EngineCommand,
        *,
        root: str,
        family: Family,
        context_tokens: int,
        has_chat_template: bool,
        engine_bytes: int | None,
        weights_digest: str | None = None,
    ) -> ServedModel:
        # Two engines of a model may run at once; each appends to a log of its own.
        suffixes = itertools.cycle(("", "-second"))

        def make_engine() -> EngineProcess:
            name = f"engine-{model.name.replace('/', '_')}{next(suffixes)}.log"
            return EngineProcess(
                model.name,
                command,
                start_seconds=self._settings.start_seconds,
                log_path=self._home / "logs" / name,
                on_restart=self._on_restart,
            )

        num_devices = model.tensor_parallel * model.pipeline_parallel
        lanes = {lane: getattr(self._settings.lanes, lane) for lane in LANES}
        return ServedModel(
            name=model.name,
            aliases=model.aliases,
            root=root,
            family=family,
            max_model_len=context_tokens,
            has_chat_template=has_chat_template,
            engine=make_engine(),
            second=SecondEngine(
                make=make_engine,
                needed_bytes=engine_bytes,
                available_bytes=free_memory(
                    is_gpu=has_gpu() and model.engine == "vllm", num_devices=num_devices
                ),
            ),
            admission=Admission(model.concurrency, lanes),
            versions=Versions.first(model.name, root, weights_digest),
            role=model.role,
            most_adapters=model.adapters,
        )


def _engine_bytes(model: ModelSettings, weights_bytes: int) -> int | None:
    """Of one more engine; None where it takes what its GPU has."""
    if has_gpu():
        cache_bytes = model.kv_cache_bytes
        return None if cache_bytes is None else weights_bytes + cache_bytes + CPU_ENGINE_BYTES
    return weights_bytes + (model.kv_cache_bytes or KV_CACHE_BYTES) + CPU_ENGINE_BYTES


def _digest(folder: Path) -> str | None:
    """Of a model of the store; a folder elsewhere has no manifest, or one that is not ours."""
    try:
        return read_manifest(folder).digest
    except ModelCorrupt:
        return None


def choose_context(model: ModelSettings, family: Family, most_tokens: int) -> int:
    """The context length to serve. Raises DoesNotFit when more is asked than the model has."""
    if model.context_tokens is None:
        return min(family.default_context_tokens or most_tokens, most_tokens)
    if model.context_tokens > most_tokens:
        raise DoesNotFit(
            f"server.models {model.name!r}: context_tokens is {model.context_tokens}, but the model"
            f" reads at most {most_tokens}; lower it or drop it"
        )
    return model.context_tokens
