"""How a version would go live, decided from facts before anything is touched: which way, and why.

```text
flip        what is to be loaded is loaded already: the name changes its meaning, no pause
adapter     the adapter is loaded beside the weights that it belongs to, then the name flips, no pause
blue_green  a second engine loads it, generates and is probed; then it takes the traffic, no pause
in_place    the running engine loads it; answers under way wait and go on, or end first
```
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from server.errors import PlanImpossible
from server.machines import gib
from server.version_record import BASE_VERSION, Version

Way = Literal["flip", "adapter", "blue_green", "in_place"]
AskedWay = Literal["auto", "adapter", "blue_green", "in_place"]
Kept = Literal["kept", "drained"]


@dataclass(frozen=True, kw_only=True)
class Loadout:
    """What an engine has to have loaded to answer as a version. full: never an adapter."""

    full: Version
    adapter: Version | None = None

    @property
    def version(self) -> Version:
        """That which it answers as."""
        return self.adapter or self.full


@dataclass(frozen=True, kw_only=True)
class SwapFacts:
    """What a plan is made from.

    live: the version that answers. engine_full: the version of the engine's own weights.
    serving_adapters: versions loaded for users. held_adapters: those of them that answer, or drain; the
    others give their place away. foreign_adapters: names of those that a training run
    loaded. standing: versions on engines of their own, canary or draining. needed_bytes: of a second
    engine, None for all there is. has_recorded_probes: whether its trainer's log-probs come with it.
    probed_on: the model on whose engine these held for the same weights.
    """

    target: Loadout
    live: str | None
    engine_full: str
    serving_adapters: frozenset[str]
    held_adapters: frozenset[str]
    foreign_adapters: tuple[str, ...]
    most_adapters: int
    standing: frozenset[str]
    needed_bytes: int | None
    available_bytes: int
    has_recorded_probes: bool = False
    probed_on: str | None = None


@dataclass(frozen=True, kw_only=True)
class SwapPlan:
    """A plan. under_way: what in-place does with answers under way; None for the other ways."""

    model: str
    version: str
    replaces: str | None
    way: Way
    under_way: Kept | None
    reasons: tuple[str, ...]
    steps: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def plan_swap(facts: SwapFacts, asked: AskedWay = "auto", *, needs_both: bool = False) -> SwapPlan:
    """The best way that is possible. needs_both: a canary, beside which live goes on answering.

    Raises PlanImpossible with what stands in every way.
    """
    target = facts.target
    refusals: list[str] = []
    ways: Sequence[Way] = ("flip", "adapter", "blue_green", "in_place")
    for way in ways:
        if asked not in ("auto", way) and way != "flip":
            continue
        why = _obstacle(way, facts, needs_both=needs_both)
        if why is None:
            under_way = _under_way(facts) if way == "in_place" else None
            return SwapPlan(
                model=target.version.model,
                version=target.version.version,
                replaces=facts.live,
                way=way,
                under_way=under_way,
                reasons=(*refusals, _reason(way, facts)),
                steps=_steps(way, target, facts, under_way),
            )
        refusals.append(f"not {way}: {why}")
    raise PlanImpossible(
        f"{target.version.name} cannot go live {'beside live' if needs_both else 'now'}:"
        f" {'; '.join(refusals)}"
    )


def _obstacle(way: Way, facts: SwapFacts, *, needs_both: bool) -> str | None:
    """Why it cannot go that way; None when it can."""
    target = facts.target
    if way == "flip":
        return None if _is_loaded(facts) else "it is not loaded"
    if way == "adapter":
        return _adapter_obstacle(facts)
    if facts.foreign_adapters:
        return (
            f"a training run has adapters on the present weights ({', '.join(facts.foreign_adapters)}):"
            " unload them first"
        )
    if way == "blue_green":
        if target.adapter and not facts.most_adapters:
            return _no_adapters()
        if facts.needed_bytes is None:
            return "an engine takes all memory of its GPU unless kv_cache_bytes is set"
        if facts.needed_bytes > facts.available_bytes:
            return (
                f"a second engine needs {gib(facts.needed_bytes)} and"
                f" {gib(facts.available_bytes)} are available"
            )
        return None
    if needs_both:
        return "in place there is one version at a time, and a canary needs two"
    if facts.held_adapters:
        return "users are answered by an adapter on the present weights, and would get it on others"
    return "it is an adapter" if target.adapter else None


def _is_loaded(facts: SwapFacts) -> bool:
    version = facts.target.version.version
    if version in facts.standing or version in facts.serving_adapters:
        return True
    return facts.target.adapter is None and version == facts.engine_full


def _adapter_obstacle(facts: SwapFacts) -> str | None:
    if facts.target.adapter is None:
        return "it has full weights"
    if not facts.most_adapters:
        return _no_adapters()
    if facts.target.full.version != facts.engine_full:
        return (
            f"it belongs to version {facts.target.full.version}, and the engine has"
            f" {facts.engine_full}"
        )
    if len(facts.foreign_adapters) + len(facts.held_adapters) >= facts.most_adapters:
        return (
            f"all {facts.most_adapters} places for adapters are taken: unload one, or raise adapters"
            " in the model's settings"
        )
    return None


def _no_adapters() -> str:
    return (
        "the engine runs without adapters: set adapters in the model's settings and start it again"
    )


def _under_way(facts: SwapFacts) -> Kept:
    """A paused engine runs no request, so recorded log-probs are compared before traffic goes on."""
    return "drained" if facts.has_recorded_probes and facts.probed_on is None else "kept"


def _reason(way: Way, facts: SwapFacts) -> str:
    if way == "flip":
        return "flip: it is loaded already, and nothing has to wait"
    if way == "adapter":
        return "adapter: it belongs to the weights that the engine has, and nothing has to wait"
    if way == "blue_green":
        assert facts.needed_bytes is not None
        return (
            f"blue_green: a second engine needs {gib(facts.needed_bytes)}, and"
            f" {gib(facts.available_bytes)} are available"
        )
    if _under_way(facts) == "drained":
        return (
            "in_place, drained: its trainer's log-probs have to be compared before anybody is answered,"
            " and no other engine has the same weights; load it into a sampler to keep answers"
        )
    where = f"; its log-probs held on {facts.probed_on}" if facts.probed_on else ""
    return f"in_place: answers under way are kept and go on with it{where}"


def _steps(way: Way, target: Loadout, facts: SwapFacts, under_way: Kept | None) -> tuple[str, ...]:
    name, old = target.version.name, facts.live or BASE_VERSION
    last = f"let answers of {old} end, then retire it"
    if way == "flip":
        return (f"generate with {name}", f"let the name mean {name}", last)
    if way == "adapter":
        return (
            f"verify {target.version.folder}",
            f"load it as {name} beside version {facts.engine_full}",
            f"probe {name}",
            f"let the name mean {name}; answers under way stay with {old}",
            last,
        )
    if way == "blue_green":
        return (
            "start a second engine and generate",
            f"verify and load {name} there",
            f"probe {name}",
            f"send new requests there; answers under way stay with {old}",
            last + ", stop its engine",
        )
    begin = "hold new requests at the door until answers under way end"
    return (
        f"verify {target.version.folder} while requests go on",
        begin if under_way == "drained" else "pause the engine, requests kept",
        "load, drop the prefix cache, run the model once",
        f"probe {name}" if under_way == "drained" else f"go on, then probe {name}",
        f"on any failure load {old} again",
        last,
    )
