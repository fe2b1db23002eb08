"""vLLM on processors without a GPU: its arguments and its environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from server.settings import ModelSettings

KV_CACHE_BYTES = 2 * 2**30
"""Without a number a CPU worker demands 92% of all memory (vLLM 0.32) and dies where it is in use."""

BLOCK_TOKENS = 32
"""Prefix cache granularity; the default of 128 never shares the short prompts of editors."""

BATCHED_TOKENS = 2048
"""Prompt tokens of one step. More finishes a prompt sooner, and holds every other answer up longer."""

FEW_CORES = 8
"""Up to so many, the core that vLLM's scheduler spins on while its worker works is missed."""

_ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
"""By its path: what is named `uni` becomes `mp` on a CPU, for vLLM cannot set OpenMP's threads then."""

_KEEP_FREED_MEMORY = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
    ":glibc.malloc.top_pad=67108864:glibc.malloc.arena_max=1"
)
"""Every step makes its logits anew, tens of megabytes: glibc would give them back to the system each
time, and fresh pages were a fifth of a step's time on a virtual machine."""

_KERNELS = "128"
"""Kernels that oneDNN keeps, of those that it makes for each number of tokens in a step. With its own 1,024 the
engine of a 135M model grew by 300 MiB over 200 iterations of training; 128 and 32 were no slower."""

_SPINS = "20000"
"""Turns that a thread of GNU's OpenMP waits awake for the next piece of work. Its own 300,000 outlast what a
step does in one thread, and the gateway missed the core meanwhile: 6% fewer tokens with few callers."""


def cpu_arguments(settings: ModelSettings) -> list[str]:
    """Of vLLM's command line. The size of the KV cache is not among them."""
    arguments = [
        "--max-num-batched-tokens", str(BATCHED_TOKENS),
        "--block-size", str(BLOCK_TOKENS),
        "--dtype", "bfloat16",
        "--scheduler-cls", "server.engine_scheduler.UsersFirst",
    ]  # fmt: skip
    if not settings.compile:
        arguments.append("--enforce-eager")
    if _is_one_process(settings):
        arguments += ["--distributed-executor-backend", _ONE_PROCESS]
    return arguments


def cpu_environment(
    settings: ModelSettings, *, num_engines: int, around: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """What the engine's process has besides. around: the operator's own, which wins.

    num_engines: on this machine. They share its cores, for threads that wait for one another while
    others have the cores were ten times slower.
    """
    environment = {
        "GLIBC_TUNABLES": _KEEP_FREED_MEMORY,
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": _KERNELS,
    }
    if _is_one_process(settings):
        environment["OMP_NUM_THREADS"] = str(max(1, _num_cores() // num_engines))
        environment["GOMP_SPINCOUNT"] = _SPINS
    if not settings.compile:
        # `--enforce-eager` leaves a few functions of vLLM's sampler to torch.compile: the first
        # request for log probabilities would hold every answer up for a quarter of a minute, and
        # end the engine where there is no C++ compiler.
        environment["TORCHDYNAMO_DISABLE"] = "1"
    return {name: value for name, value in environment.items() if name not in around}


def _is_one_process(settings: ModelSettings) -> bool:
    """Scheduler and worker in one process: every core computes, and a start takes seconds less."""
    is_whole = settings.tensor_parallel == settings.pipeline_parallel == 1
    return is_whole and _num_cores() <= FEW_CORES


def _num_cores() -> int:
    """Cores that this process may run on; the second thread of a core is not another one."""
    cores = set()
    for number in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text())
        except OSError:
            cores.add(str(number))
    return len(cores)
