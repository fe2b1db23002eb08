"""From a model's settings to the model that is served: found, looked over, given an engine."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from server.catalog import ServedModel
from server.engine_process import EngineCommand, EngineProcess
from server.errors import DoesNotFit, ModelCorrupt
from server.families import Family, family
from server.lanes import Admission
from server.memory_check import check_memory
from server.model_folder import check_folder
from server.model_manifest import read_manifest
from server.model_store import ModelStore
from server.scripted_engine import scripted_command, scripted_family
from server.settings import LANES, ModelSettings, ServerSettings
from server.versions import Versions
from server.vllm_engine import CPU_KV_CACHE_BYTES, vllm_command

log = logging.getLogger(__name__)

SCRIPTED_CONTEXT_TOKENS = 8192


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
            root="scripted",
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
                kv_cache_bytes=model.kv_cache_bytes or CPU_KV_CACHE_BYTES,
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
        )
        return self._served(
            model,
            command,
            root=str(folder),
            family=found,
            context_tokens=context_tokens,
            has_chat_template=facts.has_chat_template,
            weights_digest=_digest(folder),
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
        weights_digest: str | None = None,
    ) -> ServedModel:
        engine = EngineProcess(
            model.name,
            command,
            start_seconds=self._settings.start_seconds,
            log_path=self._home / "logs" / f"engine-{model.name.replace('/', '_')}.log",
            on_restart=self._on_restart,
        )
        lanes = {lane: getattr(self._settings.lanes, lane) for lane in LANES}
        return ServedModel(
            name=model.name,
            aliases=model.aliases,
            root=root,
            family=family,
            max_model_len=context_tokens,
            has_chat_template=has_chat_template,
            engine=engine,
            admission=Admission(model.concurrency, lanes),
            versions=Versions.first(model.name, root, weights_digest),
            role=model.role,
            most_adapters=model.adapters,
        )


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
