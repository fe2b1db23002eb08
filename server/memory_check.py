"""Is there memory for a model as it is set up? Asked before an engine spends a minute finding out.

On a GPU the engine measures for itself and `codeloop models plan` tells beforehand; on a CPU too
large a cache takes the whole machine down, so it is refused here.
"""

from pathlib import Path

from server.errors import DoesNotFit, ModelError
from server.machines import gib
from server.model_folder import ModelFacts
from server.model_shape import shape_of

CPU_ENGINE_BYTES = 5 * 2**29
"""Gateway, engine and worker without weights and cache: 2.5 GiB resident, measured."""

MEMINFO = Path("/proc/meminfo")


def check_memory(
    facts: ModelFacts, *, name: str, context_tokens: int, kv_cache_bytes: int, kv_is_fp8: bool
) -> None:
    """Raise DoesNotFit when the cache is too small for one context, or the machine for it all."""
    needed = kv_bytes(facts, context_tokens=context_tokens, is_fp8=kv_is_fp8)
    if needed > kv_cache_bytes:
        raise DoesNotFit(
            f"server.models {name!r}: kv_cache_bytes is {kv_cache_bytes} ({gib(kv_cache_bytes)}),"
            f" but one context of {context_tokens} tokens takes {needed}: raise kv_cache_bytes,"
            f" lower context_tokens to {context_tokens * kv_cache_bytes // needed} or set"
            " kv_cache_dtype = 'fp8'"
        )
    wanted = facts.weights_bytes + kv_cache_bytes + CPU_ENGINE_BYTES
    available = available_bytes()
    if wanted > available:
        raise DoesNotFit(
            f"server.models {name!r} needs {gib(wanted)} of memory (weights"
            f" {gib(facts.weights_bytes)}, cache {gib(kv_cache_bytes)}, engine"
            f" {gib(CPU_ENGINE_BYTES)}) and {gib(available)} are available: lower kv_cache_bytes and"
            " context_tokens, end what else runs, or take a smaller model"
        )


def kv_bytes(facts: ModelFacts, *, context_tokens: int, is_fp8: bool) -> int:
    """Cache for one context; 0 for an architecture whose cache we cannot compute."""
    try:
        shape = shape_of(facts.config, name=facts.path.name)
    except ModelError:
        return 0
    return context_tokens * shape.kv_bytes_per_token(bytes_per_value=1 if is_fp8 else 2)


def available_bytes() -> int:
    """Memory that can be had without pushing others out, as the kernel estimates it."""
    for line in MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"{MEMINFO} has no MemAvailable")
