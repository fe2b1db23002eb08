"""New weights through the gateway: who may send them, what is refused, and what answers say."""

import asyncio
import hashlib
import json
import shutil
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched, launch
from server.keys import KeyRing
from server.settings import Lane, Scope

Serve = Callable[..., Launched]
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


SCRIPT = """
weights = '{base}'
text = "one two three four "
num_tokens = 400
tokens_per_second = 200.0
[[faults]]
kind = 'fail_transfer'
when = 'bad-'
[[faults]]
kind = 'slow_transfer'
when = 'slow-'
seconds = 0.5
"""
MODELS = """
[[server.models]]
name = 'scripted'
engine = 'scripted'
role = 'sampler'
adapters = 2
script = '{script}'
[[server.models]]
name = 'users'
engine = 'scripted'
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A sampler and a model for users; each test begins on whatever version the last one left."""
    home = tmp_path_factory.mktemp("weights")
    script = home / "script.toml"
    script.write_text(SCRIPT.format(base=publish(home / "base")))
    with launch(home, settings=MODELS.format(script=script)) as launched:
        yield launched


@pytest.fixture
def ask(server: Launched, http: aiohttp.ClientSession) -> "Client":
    return Client(http, server)


@contextmanager
def key_of(server: Launched, scope: Scope, lane: Lane) -> Iterator[str]:
    store = server.store()
    try:
        yield KeyRing(store).create(scope, scopes=(scope,), lanes=(lane,))[0]
    finally:
        store.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


class Client:
    """Asks one server, in the train lane unless told otherwise."""

    def __init__(self, http: aiohttp.ClientSession, server: Launched, key: str = "") -> None:
        self.http = http
        self.server = server
        self.key = key or server.key

    async def __call__(
        self, method: str, path: str, body: Any = None, lane: str = "train"
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        headers = {"authorization": f"Bearer {self.key}", "x-codeloop-lane": lane}
        url = self.server.base_url + path
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers

    async def version(self) -> str:
        """Of the sampler, now."""
        _, state, _ = await self("GET", "/admin/weights")
        assert state["models"][0]["state"] == "live"
        return str(state["models"][0]["version"])

    async def update(self, folder: Path, version: str, **more: Any) -> tuple[int, dict[str, Any]]:
        body = {"model": "scripted", "folder": str(folder), "version": version, **more}
        return (await self("POST", "/admin/weights", body))[:2]

    async def rollout(self, **more: Any) -> dict[str, Any]:
        body = {"model": "scripted", "prompt_ids": [1, 2], "max_tokens": 40, **more}
        status, answer, _ = await self("POST", "/v1/rollouts", body)
        assert status == 200, answer
        return answer


async def test_answers_name_the_version_that_they_were_drawn_from(
    ask: Client, tmp_path: Path
) -> None:
    before = await ask.version()
    assert (await ask.rollout())["system_fingerprint"] == f"scripted@{before}"

    folder = publish(tmp_path / "new")
    sign(folder)
    status, report = await ask.update(folder, "7")

    assert status == 200, report
    assert (report["version"], report["previous_version"]) == ("7", before)
    assert report["num_bytes"] == 24
    answer = await ask.rollout(n=3)
    assert {span["version"] for a in answer["answers"] for span in a["versions"]} == {"7"}
    body = {"model": "scripted", "prompt": "x", "max_tokens": 2}
    for asked in (body, body | {"stream": True}):
        headers = {"authorization": f"Bearer {ask.key}", "x-codeloop-lane": "eval"}
        url = f"{ask.server.url}/completions"
        async with ask.http.post(url, json=asked, headers=headers) as plain:
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
    "a file more": (lambda f: (f / "x.py").touch(), True, "not in the manifest"),
    "a file less": (lambda f: (f / "config.json").unlink(), True, "missing"),
    "a later schema": (lambda f: sign(f, schema=2), False, "schema"),
    "no folder": (shutil.rmtree, False, "no folder"),
}


async def test_weights_that_do_not_verify_are_refused_before_the_engine_is_touched(
    ask: Client, tmp_path: Path
) -> None:
    before = await ask.version()
    for number, (name, (spoil, is_signed, words)) in enumerate(SPOILED.items()):
        folder = publish(tmp_path / f"bad-{number}")
        if is_signed:
            sign(folder)
        spoil(folder)
        status, answer = await ask.update(folder, "1")
        assert (status, answer["error"]["code"]) == (422, "weights_refused"), (name, answer)
        assert words in answer["error"]["message"], name
    assert (await ask.rollout())["system_fingerprint"] == f"scripted@{before}"


async def test_a_tokenizer_that_is_only_written_differently_is_the_same(
    ask: Client, tmp_path: Path
) -> None:
    folder = publish(tmp_path / "new")
    spaced = {"model": {"vocab": {"b": 1, "a": 0}, "merges": [["a", "b"]]}}
    (folder / "tokenizer.json").write_text(json.dumps(spaced, indent=2))
    assert (await ask.update(folder, "1"))[0] == 200


async def test_users_lanes_never_meet_a_sampler(ask: Client) -> None:
    messages = [{"role": "user", "content": "hello"}]
    body = {"model": "scripted", "messages": messages, "max_tokens": 2}
    for lane in ("ide", "chat"):
        status, answer, _ = await ask("POST", "/v1/chat/completions", body, lane)
        assert (status, answer["error"]["code"]) == (403, "lane_not_allowed")
    for lane in ("eval", "train"):
        assert (await ask("POST", "/v1/chat/completions", body, lane))[0] == 200


async def test_a_serving_model_takes_ungated_weights_from_an_admin_alone(
    ask: Client, server: Launched, tmp_path: Path
) -> None:
    folder = publish(tmp_path / "new")
    asked: dict[str, Any] = {"model": "users", "allow_ungated": True}
    status, answer = await ask.update(folder, "1", model="users")
    assert (status, answer["error"]["code"]) == (403, "gate_required")
    keys: tuple[tuple[Scope, Lane], ...] = (("train", "train"), ("complete", "chat"))
    for scope, lane in keys:
        with key_of(server, scope, lane) as key:
            status, answer = await Client(ask.http, server, key).update(folder, "1", **asked)
            assert (status, answer["error"]["code"]) == (403, "insufficient_scope")
    status, answer = await ask.update(folder, "1", **asked)
    assert status == 200, answer


async def test_answers_under_way_go_on_over_an_update_and_say_which_token_is_whose(
    ask: Client, tmp_path: Path
) -> None:
    before, folder = await ask.version(), publish(tmp_path / "new")
    under_way = asyncio.create_task(ask.rollout(n=2, max_tokens=400))
    early = await ask.rollout(max_tokens=10)
    assert early["system_fingerprint"] == f"scripted@{before}"
    assert (await ask.update(folder, "over"))[0] == 200
    answer = await under_way
    assert answer["system_fingerprint"] == f"scripted@{before},over"
    for one in answer["answers"]:
        spans = one["versions"]
        assert [span["version"] for span in spans] == [before, "over"]
        assert spans[0]["start"] == 0
        assert spans[0]["end"] == spans[1]["start"] > 0
        assert spans[1]["end"] == len(one["token_ids"]) == len(one["log_probs"]) == 400


async def test_of_two_updates_at_once_one_is_made(ask: Client, tmp_path: Path) -> None:
    folders = [publish(tmp_path / f"slow-{number}") for number in range(2)]
    answers = await asyncio.gather(*(ask.update(f, str(i)) for i, f in enumerate(folders, 1)))
    assert sorted(status for status, _ in answers) == [200, 409]
    refused = next(body for status, body in answers if status == 409)
    assert refused["error"]["code"] == "update_in_progress"


async def test_a_transfer_that_fails_leaves_the_version_before(
    ask: Client, server: Launched, tmp_path: Path
) -> None:
    pids = server.engine_pids()
    assert (await ask.update(publish(tmp_path / "sound"), "sound"))[0] == 200
    status, answer = await ask.update(publish(tmp_path / "bad-one"), "2")
    assert (status, answer["error"]["code"]) == (502, "update_failed")
    assert "version sound answers as before" in answer["error"]["message"]
    assert (await ask.rollout())["system_fingerprint"] == "scripted@sound"
    assert server.engine_pids() == pids


async def test_an_engine_that_cannot_be_restored_comes_back_on_the_version_before(
    serve: Serve, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    # The folder that was sound goes in once in each process: not a second time, to restore it.
    script = (
        "[[faults]]\nkind = 'fail_transfer'\nwhen = 'bad-'\n"
        "[[faults]]\nkind = 'fail_transfer'\nwhen = 'sound'\nevery = 2\n"
    )
    server = serve(script, model="role = 'sampler'")
    ask, pids = Client(http, server), server.engine_pids()
    assert (await ask.update(publish(tmp_path / "sound"), "1"))[0] == 200
    status, answer = await ask.update(publish(tmp_path / "bad-one"), "2")
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
    ask: Client, tmp_path: Path
) -> None:
    folder = adapter(tmp_path / "adapter")
    status, report = await ask.update(folder, "3", mode="adapter")
    assert (status, report["model"]) == (200, "scripted@3"), report
    answer = await ask.rollout(model="scripted@3")
    assert answer["system_fingerprint"] == "scripted@3"
    assert answer["answers"][0]["versions"] == [{"version": "3", "start": 0, "end": 40}]
    body = {"model": "scripted@3", "prompt": "x", "max_tokens": 1}
    assert (await ask("POST", "/v1/completions", body, "chat"))[0] == 403

    assert (await ask.update(folder, "4", mode="adapter"))[0] == 200
    # The name is taken; there is no place; full weights would pull the base from under them.
    for version, mode in (("3", "adapter"), ("5", "adapter"), ("5", "in_place")):
        status, answer = await ask.update(folder, version, mode=mode)
        assert (status, answer["error"]["code"]) == (409, "version_exists")
    for version in ("3", "4"):
        status, answer, _ = await ask("DELETE", f"/admin/weights/scripted@{version}")
        assert (status, answer) == (200, {"model": f"scripted@{version}", "unloaded": True})
    assert (await ask("POST", "/v1/completions", body, "train"))[0] == 404
    status, answer = await ask.update(folder, "5", mode="adapter", model="users")
    assert (status, answer["error"]["param"]) == (400, "mode")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"rank": 64}, "rank"), ({"module": "model.layers.9.q_proj"}, "nothing that")],
)
async def test_an_adapter_of_another_model_is_refused(
    ask: Client, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    status, answer = await ask.update(adapter(tmp_path / "adapter", **options), "3", mode="adapter")
    assert (status, answer["error"]["code"]) == (422, "weights_refused")
    assert words in answer["error"]["message"]


async def test_rollouts_have_stop_strings_in_their_tokens_and_not_in_their_text(
    ask: Client,
) -> None:
    (answer,) = (await ask.rollout(stop=["three"]))["answers"]
    assert (answer["text"], answer["finish_reason"]) == ("one two ", "stop")
    assert answer["stop_reason"] == "three"
    assert answer["token_ids"] == [0, 1, 2]
    (answer,) = (await ask.rollout(max_tokens=2))["answers"]
    assert (answer["text"], answer["finish_reason"]) == ("one two ", "length")


async def test_a_trainer_is_told_what_it_asked_wrong(ask: Client) -> None:
    good = {"model": "scripted", "prompt_ids": [1], "max_tokens": 5}
    for wrong, field in (
        ({"prompt_ids": []}, "prompt_ids"),
        ({"prompt_ids": [-1]}, "prompt_ids[0]"),
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
