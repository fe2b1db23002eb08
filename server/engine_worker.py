"""What runs inside vLLM's worker process, beside the model: repairs that a CPU worker needs.

vLLM imports this module in the worker (`--worker-extension-cls`) before it loads the model.
"""

import torch


class RewindableGenerator(torch.Generator):  # type: ignore[misc]  # torch is not followed
    """A CPU generator that can be rewound as vLLM 0.32 rewinds a CUDA one.

    When a prompt is prefilled in several chunks, vLLM throws away the token sampled after every
    chunk but the last, and rewinds the request's generator by its offset. CPU generators have no
    offset: `get_offset` raises, and one seeded request ends the engine. Throwing away happens
    before the first kept token, so returning to the seed is the exact rewind. (After a preemption
    a long answer is prefilled again; there the seed's sequence starts anew.)
    """

    def get_offset(self) -> int:
        return 0

    def set_offset(self, offset: int) -> None:
        self.manual_seed(self.initial_seed())


class WorkerExtension:
    """Mixed into vLLM's worker class. Its methods are reachable by `collective_rpc`."""


if not torch.cuda.is_available():
    torch.Generator = RewindableGenerator
