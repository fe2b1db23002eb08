"""Does an engine that has a version loaded generate, and are its log-probs the trainer's?

A version brings its own probes: `training.summary.probes` of its manifest, a list of `prompt_ids`,
`answer_ids` and the trainer's `log_probs` of these at temperature 1.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from server.engine import Engine, EngineRequest
from server.engine_control import LOG_PROBS_PATH
from server.errors import EngineBroken, EngineUnavailable, ProbeFailed, UpdateFailed
from server.version_record import Version

MOST_KL = 5e-3
"""Of mean(exp(d) - d - 1) a token, d the gap of log-probs; two engines in bfloat16 have 1e-3 to 2e-3."""
MOST_DIFFERENCE = 2.0
"""Of a single token's log-prob."""
MOST_TOKENS = 4096
PROBE_SECONDS = 60.0
GENERATED_TOKENS = 4


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """What a probe found. The differences are None for a version without recorded probes."""

    num_generated: int
    num_compared: int = 0
    mean_difference: float | None = None
    max_difference: float | None = None
    kl: float | None = None
    most_kl: float = MOST_KL
    most_difference: float = MOST_DIFFERENCE

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One prompt and answer with the trainer's log-probs, one an answer token."""

    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    log_probs: tuple[float, ...]


def recorded_probes(version: Version) -> tuple[Recorded, ...]:
    """What came with a version. Raises ProbeFailed for a record that cannot be compared."""
    found = version.summary.get("probes") or ()
    try:
        probes = tuple(_recorded(each) for each in found)
    except (TypeError, ValueError, KeyError) as error:
        raise ProbeFailed(
            f"{version.name} has probes in its manifest that are none ({error!r}): give prompt_ids,"
            " answer_ids and as many finite log_probs, or leave them out"
        ) from None
    if sum(len(each.answer_ids) for each in probes) > MOST_TOKENS:
        raise ProbeFailed(
            f"{version.name} has probes of more than {MOST_TOKENS} tokens: give fewer"
        )
    return probes


async def probe_version(
    engine: Engine, model: str, version: Version, probes: Sequence[Recorded]
) -> ProbeReport:
    """Generate, then compare. model: the name under which the engine has it.

    Raises ProbeFailed when the version is at fault, UpdateFailed when the engine does not answer.
    """
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            body = {
                "model": model,
                "prompt": "def main():",
                "max_tokens": GENERATED_TOKENS,
                "temperature": 0,
            }
            answer = await _ask(engine, "/v1/completions", body)
            num_generated = int(answer["usage"]["completion_tokens"])
            if not num_generated:
                raise ProbeFailed(f"{version.name} generates nothing: it was not made live")
            if not probes:
                return ProbeReport(num_generated=num_generated)
            sequences = [
                {"prompt_ids": each.prompt_ids, "answer_ids": each.answer_ids} for each in probes
            ]
            body = {"model": model, "temperature": 1.0, "sequences": sequences}
            found = (await _ask(engine, LOG_PROBS_PATH, body))["log_probs"]
    except TimeoutError:
        raise UpdateFailed(
            f"{version.name} did not answer its probe in {PROBE_SECONDS:g} s: look at the engine's load"
        ) from None
    except (EngineBroken, EngineUnavailable) as error:
        raise UpdateFailed(f"{version.name} could not be probed: {error}") from error
    return _compare(version, probes, found, num_generated)


def _compare(
    version: Version,
    probes: Sequence[Recorded],
    found: Sequence[Sequence[float]],
    num_generated: int,
) -> ProbeReport:
    """Source of the measure: k3 of http://joschu.net/blog/kl-approx.html, as the trainer's own probe."""
    gaps = [
        there - here
        for each, answer in zip(probes, found, strict=True)
        for here, there in zip(each.log_probs, answer, strict=True)
    ]
    report = ProbeReport(
        num_generated=num_generated,
        num_compared=len(gaps),
        mean_difference=sum(map(abs, gaps)) / len(gaps),
        max_difference=max(map(abs, gaps)),
        kl=sum(math.exp(min(gap, 50.0)) - gap - 1 for gap in gaps) / len(gaps),
    )
    assert report.kl is not None
    assert report.max_difference is not None
    # Asked this way round, so that NaN is refused too.
    if not (report.kl <= MOST_KL and report.max_difference <= MOST_DIFFERENCE):
        raise ProbeFailed(
            f"{version.name} is not what its trainer had: log-probs of {len(gaps)} tokens differ by"
            f" {report.max_difference:.3g} at most (allowed {MOST_DIFFERENCE:g}) and {report.kl:.3g} in"
            f" mean(exp(d) - d - 1) (allowed {MOST_KL:g}); publish it again, and look at both engines"
        )
    return report


def _recorded(each: Mapping[str, Any]) -> Recorded:
    probe = Recorded(
        prompt_ids=tuple(map(int, each["prompt_ids"])),
        answer_ids=tuple(map(int, each["answer_ids"])),
        log_probs=tuple(map(float, each["log_probs"])),
    )
    if not probe.prompt_ids or not probe.answer_ids:
        raise ValueError("an empty prompt or answer")
    if len(probe.log_probs) != len(probe.answer_ids) or not all(
        map(math.isfinite, probe.log_probs)
    ):
        raise ValueError("log_probs are not one finite number a token")
    return probe


async def _ask(engine: Engine, path: str, body: Mapping[str, Any]) -> Any:
    answer = await engine.forward(
        EngineRequest(path=path, body=orjson.dumps(body), request_id="codeloop-probe")
    )
    try:
        content = await answer.read()
    finally:
        answer.close()
    if answer.status != 200:
        shown = content[:300].decode(errors="replace")
        raise ProbeFailed(f"the probe was answered {answer.status}: {shown}")
    return orjson.loads(content)
