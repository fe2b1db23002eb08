"""New weights through the gateway: who may send them, what is refused, and what answers say."""

import asyncio
import hashlib
import json
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched
from server.keys import KeyRing

Serve = Callable[..., Launched]
SAMPLER = "role = 'sampler'\nadapters = 2"
ONE = struct.pack("<H", 0x3F80)
NAN = struct.pack("<H", 0x7FC1)
INFINITE = struct.pack("<H", 0xFF80)
SHAPES = {"model.embed_tokens.weight": [4, 2], "model.layers.0.q_proj.weight": [2, 2]}
TOKENIZER = {"model": {"vocab": {"a": 0, "b": 1}, "merges": ["a b"]}, "added_tokens": []}


def write_tensors(
    path: Path, shapes: Mapping[str, list[int]], *, dtype: str = "BF16", number: bytes = ONE
) -> None:
    """A safetensors file of one number repeated."""
    header, data = {}, b""
    for name, shape in shapes.items():
        begin = len(data)
        count = 1
        for size in shape:
            count *= size
        data += number * count
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def publish(folder: Path, **options: Any) -> Path:
    """A model folder with weights, config and tokenizer."""
    folder.mkdir()
    write_tensors(folder / "model.safetensors", options.pop("shapes", SHAPES), **options)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny"}))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    return folder


def sign(folder: Path, schema: int = 1) -> None:
    """Write the manifest of what is there."""
    files = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in folder.iterdir()
    }
    (folder / "manifest.json").write_text(json.dumps({"schema": schema, "files": files}))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The folder of the model that the engine plays."""
    return publish(tmp_path / "base")


@contextmanager
def key_of(server: Launched, scope: str, lane: str) -> Iterator[str]:
    store = server.store()
    try:
        yield KeyRing(store).create(scope, scopes=(scope,), lanes=(lane,))[0]  # type: ignore[arg-type]
    finally:
        store.close()


@pytest.fixture
async def http() -> Any:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


class Client:
    """Asks one server, in the train lane unless told otherwise."""

    def __init__(self, http: aiohttp.ClientSession, server: Launched, key: str = "") -> None:
        self._http = http
        self._server = server
        self._key = key or server.key

    async def __call__(
        self, method: str, path: str, body: Any = None, lane: str = "train"
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        headers = {"authorization": f"Bearer {self._key}", "x-codeloop-lane": lane}
        url = self._server.base_url + path
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers

    async def update(self, folder: Path, version: str, **more: Any) -> tuple[int, dict[str, Any]]:
        body = {"model": "scripted", "folder": str(folder), "version": version, **more}
        return (await self("POST", "/admin/weights", body))[:2]

    async def rollout(self, **more: Any) -> dict[str, Any]:
        body = {"model": "scripted", "prompt_ids": [1, 2], "max_tokens": 40, **more}
        status, answer, _ = await self("POST", "/v1/rollouts", body)
        assert status == 200, answer
        return answer


def start(serve: Serve, base: Path, script: str = "", model: str = SAMPLER) -> Launched:
    return serve(f"weights = '{base}'\nnum_tokens = 40\n{script}", model=model)


async def test_answers_name_the_version_that_they_were_drawn_from(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    ask = Client(http, start(serve, base))
    assert (await ask.rollout())["system_fingerprint"] == "scripted@0"

    folder = publish(tmp_path / "new")
    sign(folder)
    status, report = await ask.update(folder, "7")

    assert status == 200, report
    assert (report["version"], report["previous_version"]) == ("7", "0")
    assert report["num_bytes"] == 24
    answer = await ask.rollout(n=3)
    assert {span["version"] for a in answer["answers"] for span in a["versions"]} == {"7"}
    body = {"model": "scripted", "prompt": "x", "max_tokens": 2}
    for asked in (body, body | {"stream": True}):
        headers = {"authorization": f"Bearer {ask._key}", "x-codeloop-lane": "eval"}
        url = f"{ask._server.url}/completions"
        async with http.post(url, json=asked, headers=headers) as plain:
            assert plain.headers["x-codeloop-version"] == "scripted@7"
            assert b'"system_fingerprint":"scripted@7"' in await plain.read()
    _, models, _ = await ask("GET", "/v1/models")
    assert models["data"][0]["version"] == "7"
    assert models["data"][0]["weights_digest"] == report["weights_digest"]
    _, state, _ = await ask("GET", "/admin/weights")
    assert state["models"][0]["folder"] == str(folder)
    assert state["models"][0]["state"] == "live"


def flip(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def other_tokenizer(folder: Path) -> None:
    changed = TOKENIZER | {"added_tokens": [{"id": 2, "content": "<think>"}]}
    (folder / "tokenizer.json").write_text(json.dumps(changed))


def rewrite(**options: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        write_tensors(folder / "model.safetensors", options.pop("shapes", SHAPES), **options)

    return spoil


def lose_shard(folder: Path) -> None:
    for number, name in enumerate(SHAPES, 1):
        path = folder / f"model-{number:05}-of-00002.safetensors"
        write_tensors(path, {name: SHAPES[name]})
    (folder / "model.safetensors").unlink()
    path.unlink()


def other_config(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "other"}))


SPOILED: dict[str, tuple[Callable[[Path], None], bool, str]] = {
    # what is done to a good folder, whether it is signed before that, what the answer says
    "one flipped bit": (flip, True, "sha256"),
    "a byte short": (cut, False, "cut short"),
    "a missing shard": (lose_shard, False, "lacks 1 of its 2 weight files"),
    "a missing tensor": (rewrite(shapes={"model.embed_tokens.weight": [4, 2]}), False, "lacks"),
    "another shape": (rewrite(shapes=SHAPES | {"model.embed_tokens.weight": [4, 3]}), False, "[4"),
    "another type": (rewrite(dtype="F16"), False, "F16"),
    "not a number": (rewrite(number=NAN), False, "NaN"),
    "infinity": (rewrite(number=INFINITE), False, "NaN"),
    "another tokenizer": (other_tokenizer, False, "other tokens"),
    "another config": (other_config, False, "model_type"),
    "a file more": (lambda f: (f / "x.py").write_text(""), True, "not in the manifest"),
    "a file less": (lambda f: (f / "config.json").unlink(), True, "missing"),
    "a later schema": (lambda f: sign(f, schema=2), False, "schema"),
    "no folder": (shutil.rmtree, False, "no folder"),
}


async def test_weights_that_do_not_verify_are_refused_before_the_engine_is_touched(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    # Any transfer would end the engine: the script lets both the new and the old fail.
    ask = Client(http, start(serve, base, "[[faults]]\nkind = 'fail_transfer'\n"))
    for number, (name, (spoil, is_signed, words)) in enumerate(SPOILED.items()):
        folder = publish(tmp_path / f"bad{number}")
        if is_signed:
            sign(folder)
        spoil(folder)
        status, answer = await ask.update(folder, "1")
        assert (status, answer["error"]["code"]) == (422, "weights_refused"), (name, answer)
        assert words in answer["error"]["message"], name
    assert (await ask.rollout())["system_fingerprint"] == "scripted@0"


async def test_a_tokenizer_that_is_only_written_differently_is_the_same(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    ask = Client(http, start(serve, base))
    folder = publish(tmp_path / "new")
    spaced = {"model": {"vocab": {"b": 1, "a": 0}, "merges": [["a", "b"]]}}
    (folder / "tokenizer.json").write_text(json.dumps(spaced, indent=2))
    assert (await ask.update(folder, "1"))[0] == 200


async def test_users_lanes_never_meet_a_sampler(
    serve: Serve, base: Path, http: aiohttp.ClientSession
) -> None:
    ask = Client(http, start(serve, base))
    body = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
    for lane in ("ide", "chat"):
        status, answer, _ = await ask("POST", "/v1/chat/completions", body, lane)
        assert (status, answer["error"]["code"]) == (403, "lane_not_allowed")
    for lane in ("eval", "train"):
        assert (await ask("POST", "/v1/chat/completions", body, lane))[0] == 200


async def test_a_serving_model_takes_ungated_weights_from_an_admin_alone(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    server = start(serve, base, model="")
    folder = publish(tmp_path / "new")
    status, answer = await Client(http, server).update(folder, "1")
    assert (status, answer["error"]["code"]) == (403, "gate_required")
    with key_of(server, "train", "train") as key:
        status, answer = await Client(http, server, key).update(folder, "1", allow_ungated=True)
        assert (status, answer["error"]["code"]) == (403, "insufficient_scope")
    with key_of(server, "complete", "chat") as key:
        status, answer = await Client(http, server, key).update(folder, "1", allow_ungated=True)
        assert (status, answer["error"]["code"]) == (403, "insufficient_scope")
    status, answer = await Client(http, server).update(folder, "1", allow_ungated=True)
    assert status == 200, answer


async def test_answers_under_way_go_on_over_an_update_and_say_which_token_is_whose(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    ask = Client(http, start(serve, base, "tokens_per_second = 40.0\n"))
    folder = publish(tmp_path / "new")
    under_way = asyncio.create_task(ask.rollout(n=2))
    early = asyncio.create_task(ask.rollout(n=1, max_tokens=10))
    assert (await early)["system_fingerprint"] == "scripted@0"
    assert (await ask.update(folder, "1"))[0] == 200
    answer = await under_way
    assert answer["system_fingerprint"] == "scripted@0,1"
    for one in answer["answers"]:
        spans = one["versions"]
        assert [span["version"] for span in spans] == ["0", "1"]
        assert spans[0]["start"] == 0
        assert spans[0]["end"] == spans[1]["start"] > 0
        assert spans[1]["end"] == len(one["token_ids"]) == len(one["log_probs"]) == 40


async def test_of_two_updates_at_once_one_is_made(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    script = "[[faults]]\nkind = 'slow_transfer'\nseconds = 0.5\n"
    ask = Client(http, start(serve, base, script))
    folders = [publish(tmp_path / f"new{number}") for number in range(2)]
    answers = await asyncio.gather(*(ask.update(f, str(i)) for i, f in enumerate(folders, 1)))
    assert sorted(status for status, _ in answers) == [200, 409]
    refused = next(body for status, body in answers if status == 409)
    assert refused["error"]["code"] == "update_in_progress"


async def test_a_transfer_that_fails_leaves_the_version_before(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    script = "[[faults]]\nkind = 'fail_transfer'\nwhen = 'bad'\n"
    server = start(serve, base, script)
    ask, pids = Client(http, server), server.engine_pids()
    assert (await ask.update(publish(tmp_path / "good"), "1"))[0] == 200
    status, answer = await ask.update(publish(tmp_path / "bad"), "2")
    assert (status, answer["error"]["code"]) == (502, "update_failed")
    assert "version 1 answers as before" in answer["error"]["message"]
    assert (await ask.rollout())["system_fingerprint"] == "scripted@1"
    assert server.engine_pids() == pids


async def test_an_engine_that_cannot_be_restored_comes_back_on_the_version_before(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    # Every second transfer fails, counted anew in each process: of three, the second; and where
    # the folder is bad, all of them.
    script = (
        "[[faults]]\nkind = 'fail_transfer'\nwhen = 'bad'\n"
        "[[faults]]\nkind = 'fail_transfer'\nwhen = 'good'\nevery = 2\n"
    )
    server = start(serve, base, script)
    ask, pids = Client(http, server), server.engine_pids()
    assert (await ask.update(publish(tmp_path / "good"), "1"))[0] == 200
    status, answer = await ask.update(publish(tmp_path / "bad"), "2")
    assert (status, answer["error"]["code"]) == (502, "update_failed")

    body = {"model": "scripted", "prompt_ids": [1], "max_tokens": 5}
    async with asyncio.timeout(30):
        while (found := await ask("POST", "/v1/rollouts", body))[0] != 200:
            assert found[1]["error"]["code"] in ("engine_unavailable", "engine_died")
            await asyncio.sleep(0.05)
    assert found[1]["system_fingerprint"] == "scripted@1"
    assert {s["version"] for a in found[1]["answers"] for s in a["versions"]} == {"1"}
    assert server.engine_pids() != pids


def adapter(folder: Path, *, rank: int = 2, module: str = "model.layers.0.q_proj") -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    shapes = {
        f"base_model.model.{module}.lora_A.weight": [rank, 2],
        f"base_model.model.{module}.lora_B.weight": [2, rank],
    }
    write_tensors(folder / "adapter_model.safetensors", shapes)
    return folder


async def test_an_adapter_is_named_by_its_version_and_keeps_its_name(
    serve: Serve, base: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    ask = Client(http, start(serve, base, model="adapters = 1"))
    status, report = await ask.update(adapter(tmp_path / "adapter"), "3", mode="adapter")
    assert (status, report["model"]) == (200, "scripted@3"), report
    answer = await ask.rollout(model="scripted@3")
    assert answer["system_fingerprint"] == "scripted@3"
    assert answer["answers"][0]["versions"] == [{"version": "3", "start": 0, "end": 40}]
    body = {"model": "scripted@3", "prompt": "x"}
    assert (await ask("POST", "/v1/completions", body, "chat"))[0] == 403
    assert (await ask("POST", "/v1/completions", body | {"model": "scripted"}, "chat"))[0] == 200

    for version, code in (("3", "version_exists"), ("4", "version_exists")):
        status, answer = await ask.update(tmp_path / "adapter", version, mode="adapter")
        assert (status, answer["error"]["code"]) == (409, code)
    status, answer, _ = await ask("DELETE", "/admin/weights/scripted@3")
    assert (status, answer) == (200, {"model": "scripted@3", "unloaded": True})
    assert (await ask("POST", "/v1/completions", body, "train"))[0] == 404
    status, answer = await ask.update(tmp_path / "adapter", "4", mode="adapter")
    assert status == 200, answer


@pytest.mark.parametrize(
    ("options", "words"),
    [({"rank": 64}, "rank"), ({"module": "model.layers.9.q_proj"}, "nothing that")],
)
async def test_an_adapter_of_another_model_is_refused(
    serve: Serve,
    base: Path,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    options: dict[str, Any],
    words: str,
) -> None:
    ask = Client(http, start(serve, base))
    status, answer = await ask.update(adapter(tmp_path / "adapter", **options), "3", mode="adapter")
    assert (status, answer["error"]["code"]) == (422, "weights_refused")
    assert words in answer["error"]["message"]


async def test_rollouts_have_stop_strings_in_their_tokens_and_not_in_their_text(
    serve: Serve, base: Path, http: aiohttp.ClientSession
) -> None:
    ask = Client(http, start(serve, base, 'text = "one two three four "\n'))
    (answer,) = (await ask.rollout(stop=["three"]))["answers"]
    assert (answer["text"], answer["finish_reason"]) == ("one two ", "stop")
    assert answer["stop_reason"] == "three"
    assert answer["token_ids"] == [0, 1, 2]
    (answer,) = (await ask.rollout(max_tokens=2))["answers"]
    assert (answer["text"], answer["finish_reason"]) == ("one two ", "length")


async def test_a_trainer_is_told_what_it_asked_wrong(
    serve: Serve, base: Path, http: aiohttp.ClientSession
) -> None:
    ask = Client(http, start(serve, base))
    good = {"model": "scripted", "prompt_ids": [1], "max_tokens": 5}
    for wrong, field in (
        ({"prompt_ids": []}, "prompt_ids"),
        ({"prompt_ids": [-1]}, "prompt_ids"),
        ({"seeds": [1, 2], "n": 3}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream": True}, "stream"),
        ({"n": 1000}, "n"),
    ):
        status, answer, _ = await ask("POST", "/v1/rollouts", good | wrong)
        assert (status, answer["error"]["param"]) == (400, field), answer
    sequences = [{"prompt_ids": [1], "answer_ids": [1] * 5000}]
    status, answer, _ = await ask(
        "POST", "/v1/log_probs", {"model": "scripted", "sequences": sequences}
    )
    assert (status, answer["error"]["param"]) == (400, "sequences")
    for folder, version in (("relative", "1"), ("/absolute", "a b")):
        status, answer = await ask.update(Path(folder), version)
        assert (status, answer["error"]["code"]) == (400, "invalid_value"), answer
