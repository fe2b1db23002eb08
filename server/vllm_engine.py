"""vLLM's command line for a model, from our settings and the model's family."""

import json
import sys
from pathlib import Path

from server.cpu_engine import KV_CACHE_BYTES, cpu_arguments, cpu_environment
from server.engine import EngineRequest
from server.engine_process import EngineCommand
from server.errors import ModelError
from server.families import Family
from server.settings import ModelSettings
from server.weight_folder import FOLDER_BACKEND

MOST_STOP_STRINGS = 1024
"""vLLM refuses more than 4 unless told otherwise; editors send 12 and more."""

GPU_BATCHED_TOKENS = 8192
"""Prompt tokens of one step. More finishes a prompt sooner, and holds every other answer up longer."""

FORCED_CALL_PARSER = "hermes"

OURS = frozenset(
    [
        "--model",
        "--served-model-name",
        "--max-model-len",
        "--max-num-seqs",
        "--scheduling-policy",
        "--host",
        "--port",
        "--uds",
        "--api-key",
        "--kv-cache-memory-bytes",
        "--kv-cache-dtype",
        "--tensor-parallel-size",
        "--pipeline-parallel-size",
        "--enforce-eager",
        "--worker-extension-cls",
        "--weight-transfer-config",
        "--logprobs-mode",
        "--enable-lora",
        "--max-loras",
        "--max-cpu-loras",
        "--max-lora-rank",
        "--middleware",
        "--root-path",
        "--ssl-keyfile",
        "--ssl-certfile",
    ]
)
"""Arguments that codeloop sets from its own settings; a second voice would only disagree."""


def vllm_command(
    settings: ModelSettings,
    *,
    folder: Path,
    family: Family,
    context_tokens: int,
    has_gpu: bool,
    num_engines: int = 1,
) -> EngineCommand:
    """The child process that serves `folder` under `settings.name`.

    num_engines: that share this machine's processors.

    Raises ModelError when `settings.engine_arguments` has an argument that codeloop sets itself.
    """
    for argument in settings.engine_arguments:
        if argument.partition("=")[0] in OURS:
            raise ModelError(
                f"server.models {settings.name!r}: engine_arguments has {argument!r}, which codeloop"
                " sets itself; use the setting of that name, or drop it"
            )
    arguments = [
        "--model", str(folder),
        "--served-model-name", settings.name,
        "--max-model-len", str(context_tokens),
        "--max-num-seqs", str(settings.concurrency),
        "--scheduling-policy", "priority",
        "--kv-cache-dtype", settings.kv_cache_dtype,
        "--tensor-parallel-size", str(settings.tensor_parallel),
        "--pipeline-parallel-size", str(settings.pipeline_parallel),
        "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log",
        "--disable-fastapi-docs",
        "--worker-extension-cls", "server.engine_worker.WorkerExtension",
        "--weight-transfer-config", json.dumps({"backend": FOLDER_BACKEND}),
        *_role_arguments(settings),
        *_machine_arguments(settings, has_gpu=has_gpu),
        *_family_arguments(family, context_tokens),
        *settings.engine_arguments,
    ]  # fmt: skip
    return EngineCommand(
        arguments=[sys.executable, "-m", "server.engine_host"],
        trailing=["--adapter-rank", str(settings.adapter_rank), "--", *arguments],
        environment={
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_DO_NOT_TRACK": "1",
            "VLLM_SERVER_DEV_MODE": "0",
            "VLLM_MAX_STOP_STRINGS": str(MOST_STOP_STRINGS),
            "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            **({} if has_gpu else cpu_environment(settings, num_engines=num_engines)),
        },
        probe=probe_request(settings.name),
    )


def probe_request(model: str) -> EngineRequest:
    """The first generation: two tokens, so that prefill and decode have both run."""
    body = {"model": model, "prompt": "def main():", "max_tokens": 2, "temperature": 0}
    return EngineRequest(
        path="/v1/completions", body=json.dumps(body).encode(), request_id="codeloop-probe"
    )


def _role_arguments(settings: ModelSettings) -> list[str]:
    arguments: list[str] = []
    if settings.role == "sampler" or settings.adapters:
        # A policy's log-probs are those of the distribution that was drawn from.
        arguments += ["--logprobs-mode", "processed_logprobs"]
    if settings.adapters:
        arguments += [
            "--enable-lora",
            "--max-loras", str(settings.adapters),
            "--max-cpu-loras", str(settings.adapters),
            "--max-lora-rank", str(settings.adapter_rank),
        ]  # fmt: skip
    return arguments


def _machine_arguments(settings: ModelSettings, *, has_gpu: bool) -> list[str]:
    if has_gpu:
        kv_cache_bytes = settings.kv_cache_bytes
        arguments = ["--max-num-batched-tokens", str(GPU_BATCHED_TOKENS)]
    else:
        kv_cache_bytes = settings.kv_cache_bytes or KV_CACHE_BYTES
        arguments = cpu_arguments(settings)
    if kv_cache_bytes:
        arguments += ["--kv-cache-memory-bytes", str(kv_cache_bytes)]
    return arguments


def _family_arguments(family: Family, context_tokens: int) -> list[str]:
    arguments: list[str] = []
    if family.reasoning_parser:
        arguments += ["--reasoning-parser", family.reasoning_parser]
    # With any parser a forced call works, constrained by its schema; the gateway refuses 'auto'
    # for families that were not trained to decide on calls.
    parser = family.tool_parser or FORCED_CALL_PARSER
    arguments += ["--enable-auto-tool-choice", "--tool-call-parser", parser]
    if overrides := family.hf_overrides(context_tokens):
        arguments += ["--hf-overrides", json.dumps(overrides)]
    if family.sampling:
        arguments += ["--override-generation-config", json.dumps(dict(family.sampling))]
    return arguments
