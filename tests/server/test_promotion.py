"""Versions made live and taken back through the gateway, over the scripted engine."""

import asyncio
import os
import pathlib
import signal
from typing import Any

import aiohttp
import pytest

from deploy.launch import launch
from server.version_states import State

MODEL = "scripted"
WAYS = ("in_place", "blue_green")


def code_of(found: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    status, body = found
    return status, body["error"]["code"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_gated_version_goes_live_and_comes_back(site: Any, way: str) -> None:
    here = site()
    here.publish("a")
    assert await here.ask() == "scripted@0"

    status, done = await here.promote("a", way=way, reason="better")
    assert status == 200, done
    assert done["plan"]["way"] == way
    assert done["report"]["weights_digest"] == done["report"]["expected_digest"]
    assert await here.ask() == "scripted@a"
    assert await here.ask("scripted@a") == "scripted@a"
    assert (here.state_of("a"), (await here.state())["previous"]) == (State.LIVE, "0")

    async def is_retired() -> bool:
        return bool(here.state_of("0") is State.RETIRED)

    await here.until(is_retired)
    status, done = await here.roll_back(reason="it was not")
    assert status == 200, done
    assert await here.ask() == "scripted@0"
    assert here.state_of("0") is State.LIVE
    with here.catalog() as catalog:
        row = next(row for row in catalog.history(MODEL, "a") if row.to_state is State.LIVE)
    assert row.reason == "better"
    assert row.actor.startswith("launched (key ")
    assert row.evidence["swap"]["plan"]["way"] == way


async def test_an_adapter_goes_live_by_its_name_and_its_predecessor_stays_at_hand(
    site: Any,
) -> None:
    here = site(model="adapters = 2")
    here.publish("a", kind="adapter")
    status, done = await here.promote("a")
    assert status == 200, done
    assert (done["plan"]["way"], done["report"]["pause_seconds"]) == ("adapter", 0)
    assert await here.ask() == "scripted@a"
    assert await here.ask("scripted@0") == "scripted@0"
    status, _ = await here("DELETE", "/admin/weights/scripted@a")
    assert status == 409

    status, done = await here.roll_back()
    assert (status, done["plan"]["way"]) == (200, "flip"), done
    assert await here.ask() == "scripted@0"
    assert (await here.promote("a"))[1]["plan"]["way"] == "flip"


@pytest.mark.parametrize("way", WAYS)
async def test_users_notice_nothing_and_the_report_has_every_answer_under_way(
    site: Any, way: str
) -> None:
    here = site("text = '{version} '\nnum_tokens = 60\ntokens_per_second = 60.0\n")
    here.publish("a")
    is_over = asyncio.Event()

    async def user() -> list[tuple[str, set[str]]]:
        answers = []
        while not is_over.is_set():
            body = {"model": MODEL, "prompt": "x", "max_tokens": 60}
            status, answer = await here("POST", "/v1/completions", body)
            assert status == 200, answer
            drawn = answer["choices"][0]["text"].split()
            assert len(drawn) == 60
            answers.append((answer["system_fingerprint"], set(drawn)))
        return answers

    users = [asyncio.create_task(user()) for _ in range(8)]
    assert await here.ask(num_tokens=5) == "scripted@0"
    status, done = await here.promote("a", way=way)
    is_over.set()
    assert status == 200, done
    answers = [answer for each in await asyncio.gather(*users) for answer in each]
    for fingerprint, drawn in answers:
        named = set(fingerprint.removeprefix("scripted@").split(","))
        assert drawn <= named
        assert way == "in_place" or len(named) == 1
    assert await here.ask() == "scripted@a"

    async def is_told() -> bool:
        return (await here.state())["last_swap"]["requests"] is not None

    await here.until(is_told)
    report = (await here.state())["last_swap"]
    assert report["ended"] == {"completed": report["num_under_way"]}
    assert 1 <= report["num_under_way"] <= 8
    assert report["mixed"] == sum("," in name for name, _ in answers)
    assert {each["num_tokens"] for each in report["requests"]} == {60}


async def test_what_cannot_be_is_answered_once_and_changes_nothing(site: Any) -> None:
    here = site()
    here.publish("ungated", state=State.VERIFIED)
    here.publish("bad", state=State.VERIFIED)
    with here.catalog() as catalog:
        catalog.advance(MODEL, "bad", State.REJECTED, actor="test", reason="worse")
    before = await here.state()
    for version, more, expected in (
        ("nobody", {}, (404, "version_not_found")),
        ("0", {}, (409, "illegal_move")),
        ("bad", {}, (409, "illegal_move")),
        ("ungated", {}, (403, "gate_required")),
        ("ungated", {"override": True}, (400, "missing_parameter")),
        ("ungated", {"way": "adapter", "override": True, "reason": "x"}, (409, "no_way")),
        ("ungated", {"canary": 1.5}, (400, "invalid_value")),
        ("other@ungated", {}, (404, "model_not_found")),
    ):
        assert code_of(await here.promote(version, **more)) == expected, version
    assert code_of(await here.roll_back()) == (409, "no_previous_version")
    assert code_of(await here.roll_back(canary=True)) == (409, "no_previous_version")
    assert await here.state() == before
    assert here.state_of("ungated") is State.VERIFIED


async def test_a_dry_run_touches_nothing_and_an_override_is_audited(site: Any) -> None:
    here = site()
    here.publish("a", state=State.VERIFIED)
    wish = {"override": True, "reason": "a demonstration"}
    status, done = await here.promote("a", dry_run=True, **wish)
    assert (status, done["report"]) == (200, None)
    assert done["plan"]["way"] == "blue_green"
    assert "a second engine needs" in done["plan"]["reasons"][-1]
    assert await here.ask() == "scripted@0"
    assert here.state_of("a") is State.VERIFIED

    status, done = await here.promote("a", way="in_place", **wish)
    assert status == 200, done
    with here.catalog() as catalog:
        row = next(row for row in catalog.history(MODEL, "a") if row.to_state is State.GATED)
    assert (row.reason, row.evidence) == ("a demonstration", {"override": True})


def verdict(digest: str, answer: str, live: str = "") -> dict[str, Any]:
    suite = {"suite": "short", "score": 0.5, "low": 0.4, "high": 0.6, "num_problems": 99}
    return {
        "answer": answer,
        "candidate_weights": digest,
        "live_weights": live,
        "evidence": [suite],
    }


async def test_the_gates_verdict_decides_about_the_weights_that_it_measured(site: Any) -> None:
    here = site()
    for version in ("a", "bb", "ccc"):
        here.publish(version, state=State.VERIFIED)
    with here.catalog() as catalog:
        digest = {v: catalog.get(MODEL, v).weights_digest for v in ("0", "a", "bb", "ccc")}

    async def gate(version: str, *args: str) -> tuple[int, dict[str, Any]]:
        found: tuple[int, dict[str, Any]] = await here(
            "POST", f"/admin/versions/{MODEL}@{version}/gate", verdict(*args)
        )
        return found

    assert code_of(await gate("a", digest["bb"], "passed")) == (403, "gate_required")
    assert code_of(await gate("a", digest["a"], "passed", digest["bb"])) == (403, "gate_required")
    assert (await gate("a", digest["a"], "inconclusive"))[1]["state"] == "verified"
    assert (await gate("a", digest["a"], "passed", digest["0"]))[1]["state"] == "gated"
    assert (await gate("bb", digest["bb"], "failed"))[1]["state"] == "rejected"
    assert code_of(await here.promote("bb")) == (409, "illegal_move")
    assert code_of(await here.promote("ccc")) == (403, "gate_required")
    assert (await here.promote("a", way="in_place"))[0] == 200
    _, models = await here("GET", "/v1/models")
    (card,) = models["data"]
    assert card["version"] == "a"
    assert card["weights_digest"] == digest["a"]
    assert card["provenance"]["scores"]["short"]["low"] == 0.4
    assert card["provenance"]["run"] == "run-1"
    assert card["provenance"]["promoted_by"].startswith("launched")


async def test_of_two_promotions_at_once_one_is_made(site: Any) -> None:
    script = "[[faults]]\nkind = 'slow_transfer'\nseconds = 1.0\n"
    here = site(script)
    for version in ("a", "bb"):
        here.publish(version)
    both = await asyncio.gather(*(here.promote(v, way="in_place") for v in ("a", "bb")))
    assert sorted(status for status, _ in both) == [200, 409]
    assert {code_of(each)[1] for each in both if each[0] == 409} == {"promotion_in_progress"}


async def test_a_version_whose_log_probs_are_not_its_trainers_answers_nobody(site: Any) -> None:
    here = site("num_tokens = 60\ntokens_per_second = 60.0\n")

    def probes(log_prob: float) -> dict[str, Any]:
        one = {"prompt_ids": [1, 2], "answer_ids": [3, 4], "log_probs": [log_prob] * 2}
        return {"summary": {"probes": [one]}}

    # The scripted engine gives every token -0.5.
    for number, way in enumerate(WAYS):
        version = "w" * (number + 1)
        here.publish(version, **probes(-3.0))
        users = [asyncio.create_task(here.ask(num_tokens=60)) for _ in range(4)]
        assert code_of(await here.promote(version, way=way)) == (422, "probe_failed")
        users += [asyncio.create_task(here.ask()) for _ in range(4)]
        assert set(await asyncio.gather(*users)) == {"scripted@0"}
        assert here.state_of(version) is State.REJECTED
    here.publish("right", **probes(-0.5))
    status, done = await here.promote("right", way="in_place")
    assert status == 200, done
    assert done["plan"]["under_way"] == "drained"
    assert done["report"]["probe"]["num_compared"] == 2
    assert done["report"]["probe"]["max_difference"] == 0


async def test_weights_that_do_not_go_in_leave_the_version_before(site: Any) -> None:
    here = site("[[faults]]\nkind = 'fail_transfer'\nwhen = '/bad'\n")
    here.publish("bad")
    for way in WAYS:
        assert code_of(await here.promote("bad", way=way)) == (502, "update_failed")
        assert (await here.ask(), here.state_of("bad")) == ("scripted@0", State.GATED)
    here.publish("good")
    assert (await here.promote("good", way="in_place"))[0] == 200
    assert await here.ask() == "scripted@good"


async def test_the_live_version_outlasts_the_server_and_its_engine(
    published: Any, promotion_site: Any, tmp_path: pathlib.Path
) -> None:
    base = published.write_model(tmp_path / "base")
    script = tmp_path / "script.toml"
    script.write_text(f"weights = '{base}'\n")
    settings = (
        "[[server.models]]\nname = 'scripted'\nengine = 'scripted'\nadapters = 2\n"
        f"script = '{script}'\n"
    )
    home = tmp_path / "home"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        with launch(home, settings=settings) as server:
            here = promotion_site.Site(server, session, published, tmp_path)
            here.publish("full")
            here.publish("adapter", kind="adapter", parent="full")
            assert (await here.promote("full", way="in_place"))[0] == 200
            status, done = await here.promote("adapter")
            assert (status, done["plan"]["way"]) == (200, "adapter"), done
            server.process.kill()
            server.process.wait()
        with launch(home, settings=settings) as server:
            here = promotion_site.Site(server, session, published, tmp_path)
            assert await here.ask() == "scripted@adapter"
            assert await here.ask("scripted@full") == "scripted@full"
            assert here.state_of("0") is State.RETIRED
            (pid,) = server.engine_pids()
            os.kill(pid, signal.SIGKILL)

            async def is_back() -> bool:
                body = {"model": MODEL, "prompt": "x", "max_tokens": 2}
                status, _ = await here("POST", "/v1/completions", body)
                return bool(status == 200)

            await here.until(is_back)
            assert await here.ask() == "scripted@adapter"
            assert (await here.roll_back())[0] == 200
            assert await here.ask() == "scripted@full"
