"""Does a model fit a machine, and how: the numbers behind `codeloop models plan`."""

from dataclasses import dataclass, replace

from server.errors import DoesNotFit, ModelError
from server.machines import GPU_GIB, Machine, gib, parse_gpus
from server.model_layout import BYTES_PER_KV_VALUE, KvFormat, Layout, lay_out, splits
from server.model_shape import ModelShape, WeightFormat

LEAST_CONTEXT_TOKENS = 1024
"""A shorter context is no way out worth naming."""

MORE_DEVICES = (2, 4, 8, 16, 32, 64)
"""Numbers of GPUs that are tried as a way out."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A model on a machine, with room for what was asked.

    weight_bytes: of the model, once. kv_bytes_per_token: of one token's context, once over all
    layers. layout: the same on the fullest device, and the split. largest_context_tokens: for one
    sequence alone, within the model's own limit. concurrency: sequences of `context_tokens` that
    the cache holds at once, so that none waits for another's memory.
    """

    shape: ModelShape
    machine: Machine
    context_tokens: int
    weight_format: WeightFormat
    kv_format: KvFormat
    weight_bytes: int
    kv_bytes_per_token: int
    layout: Layout
    largest_context_tokens: int
    concurrency: int


@dataclass(frozen=True, kw_only=True)
class _Wish:
    shape: ModelShape
    machine: Machine
    context_tokens: int
    concurrency: int
    weight_format: WeightFormat
    kv_format: KvFormat

    def layouts(self) -> list[Layout]:
        return [
            lay_out(
                self.shape,
                self.machine,
                tensor_parallel=tensor_parallel,
                pipeline_parallel=pipeline_parallel,
                weight_format=self.weight_format,
                kv_format=self.kv_format,
            )
            for tensor_parallel, pipeline_parallel in splits(self.shape, self.machine.num_devices)
        ]

    def fits(self, layout: Layout) -> bool:
        return layout.sequences(self.context_tokens) >= self.concurrency

    def can_be_met(self) -> bool:
        return any(self.fits(layout) for layout in self.layouts())


def plan(
    shape: ModelShape,
    *,
    machine: Machine,
    context_tokens: int,
    concurrency: int = 1,
    weight_format: WeightFormat | None = None,
    kv_format: KvFormat = "bf16",
    context_limit_tokens: int | None = None,
) -> Plan:
    """Lay the model out for `concurrency` sequences of `context_tokens`, prompt plus answer.

    weight_format: None means the checkpoint's own. context_limit_tokens: how far the model may go;
    None means what its config says. The first split of `splits` with room is taken.

    Raises DoesNotFit with what is needed, what there is and the ways out, or when the context is
    past the limit; ModelError when the model cannot be split over so many GPUs.
    """
    limit = context_limit_tokens or shape.max_position_tokens
    if not 1 <= context_tokens <= limit:
        raise DoesNotFit(
            f"{shape.name}: a context of {context_tokens:,} tokens is outside what the model can"
            f" do, 1 to {limit:,}; ask for {limit:,} or less"
        )
    wish = _Wish(
        shape=shape,
        machine=machine,
        context_tokens=context_tokens,
        concurrency=concurrency,
        weight_format=weight_format or shape.weight_format,
        kv_format=kv_format,
    )
    layouts = wish.layouts()
    if not layouts:
        raise ModelError(
            f"{shape.name} cannot be divided among the {machine.num_devices} GPUs of {machine}: it"
            f" has {shape.num_heads} attention heads and {len(shape.layers)} layers; take a power"
            " of two, or run several servers"
        )
    layout = next((layout for layout in layouts if wish.fits(layout)), None)
    if layout is None:
        raise DoesNotFit(_refusal(wish, max(layouts, key=lambda one: one.kv_tokens)))
    return Plan(
        shape=shape,
        machine=machine,
        context_tokens=context_tokens,
        weight_format=wish.weight_format,
        kv_format=wish.kv_format,
        weight_bytes=_weight_bytes(wish),
        kv_bytes_per_token=_kv_bytes_per_token(wish),
        layout=layout,
        largest_context_tokens=min(layout.kv_tokens, limit),
        concurrency=layout.sequences(context_tokens),
    )


def _weight_bytes(wish: _Wish) -> int:
    """On one imagined GPU, where nothing is replicated."""
    one = wish.machine.with_devices(1)
    return lay_out(
        wish.shape, one, tensor_parallel=1, pipeline_parallel=1,
        weight_format=wish.weight_format, kv_format=wish.kv_format,
    ).weight_bytes  # fmt: skip


def _kv_bytes_per_token(wish: _Wish) -> int:
    return wish.shape.kv_bytes_per_token(bytes_per_value=BYTES_PER_KV_VALUE[wish.kv_format])


def _refusal(wish: _Wish, roomiest: Layout) -> str:
    machine = wish.machine
    cache_tokens = wish.concurrency * roomiest.rounded(wish.context_tokens)
    cache_bytes = (cache_tokens + roomiest.block_tokens) * roomiest.kv_bytes_per_token
    need = roomiest.weight_bytes + roomiest.reserve_bytes + cache_bytes
    each = (
        f"each of {machine.num_devices} × {machine.name}"
        if machine.num_devices > 1
        else machine.name
    )
    sequences = f"{wish.concurrency} × " if wish.concurrency > 1 else ""
    return (
        f"{wish.shape.name} needs {gib(need)} on {each} (weights {gib(roomiest.weight_bytes)},"
        f" cache {gib(cache_bytes)} for {sequences}{wish.context_tokens:,} tokens, engine"
        f" {gib(roomiest.reserve_bytes)}) and {gib(machine.usable_bytes)} of its"
        f" {gib(machine.memory_bytes)} are usable. Ways out: {'; '.join(_ways_out(wish, roomiest))}"
    )


def _ways_out(wish: _Wish, roomiest: Layout) -> list[str]:
    """What would fit instead, the smallest change first; each is checked, none is guessed."""
    ways = []
    shorter = _context_each(wish, roomiest)
    if shorter >= LEAST_CONTEXT_TOKENS:
        ways.append(f"--context {shorter}")
    if (fewer := roomiest.sequences(wish.context_tokens)) and wish.concurrency > 1:
        ways.append(f"--concurrency {fewer}")
    ways += _fewer_bits(wish, shorter)
    ways += _more_memory(wish)
    return ways or ["more memory, or a smaller model"]


def _context_each(wish: _Wish, layout: Layout) -> int:
    """The longest context that fits as often as was wished for."""
    return layout.kv_tokens // wish.concurrency // layout.block_tokens * layout.block_tokens


def _fewer_bits(wish: _Wish, shorter: int) -> list[str]:
    """Smaller formats of cache and weights, alone where that is enough, else together.

    shorter: the context that fits without; fp8 is worth naming where it raises that at least.
    """
    ways = []
    small_kv = replace(wish, kv_format="fp8")
    kv_helps = wish.kv_format != "fp8"
    if kv_helps and small_kv.can_be_met():
        kv_helps = False
        ways.append("--kv-dtype fp8")
    elif kv_helps:
        longest = max(_context_each(small_kv, layout) for layout in small_kv.layouts())
        if longest >= max(shorter + 1, LEAST_CONTEXT_TOKENS):
            ways.append(f"--kv-dtype fp8 with --context {longest}")
    for weight_format, way in _smaller_weights(wish):
        if replace(wish, weight_format=weight_format).can_be_met():
            return [*ways, way]
        if kv_helps and replace(small_kv, weight_format=weight_format).can_be_met():
            return [*ways, f"{way} with --kv-dtype fp8"]
    return ways


def _smaller_weights(wish: _Wish) -> list[tuple[WeightFormat, str]]:
    """Formats below the checkpoint's own; only a GPU engine makes fp8 of 16 bits as it loads."""
    if wish.weight_format != "bf16":
        return []
    four_bits: tuple[WeightFormat, str] = ("int4", "a 4-bit checkpoint (--weights int4)")
    return [("fp8", "--weights fp8"), four_bits] if wish.machine.kind == "gpu" else [four_bits]


def _more_memory(wish: _Wish) -> list[str]:
    """The next number of such GPUs that is enough, and the smallest other GPU that is."""
    if wish.machine.kind == "cpu":
        return []
    ways = []
    for num_devices in MORE_DEVICES:
        bigger = wish.machine.with_devices(num_devices)
        if num_devices > wish.machine.num_devices and replace(wish, machine=bigger).can_be_met():
            ways.append(f"--gpu {bigger}")
            break
    for name in sorted(GPU_GIB, key=lambda name: GPU_GIB[name]):
        other = parse_gpus(f"{name}:{wish.machine.num_devices}")
        is_larger = other.memory_bytes > wish.machine.memory_bytes
        if is_larger and replace(wish, machine=other).can_be_met():
            ways.append(f"--gpu {other}")
            break
    return ways
