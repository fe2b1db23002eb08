"""The real engine takes new weights while it answers, and is then the same as one started on them."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched, launch

SETTINGS = """
[server]
lanes.train = {{ share = 1.0 }}
[[server.models]]
name = "policy"
source = "{base}"
role = "sampler"
context_tokens = 2048
kv_cache_bytes = 134217728
[[server.models]]
name = "fresh"
source = "{new}"
role = "sampler"
adapters = 1
adapter_rank = 8
context_tokens = 2048
kv_cache_bytes = 134217728
"""
LAYER = "model.layers.0.self_attn.q_proj"
Tensors = dict[str, Any]


def tensors(folder: Path) -> Tensors:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def copy_with(base: Path, folder: Path, weights: Tensors, *, is_tied: bool) -> Path:
    """The model of `base` with other weights, in two shards."""
    from safetensors.torch import save_file

    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors", "manifest.json"))
    names = sorted(weights)
    weight_map: dict[str, str] = {}
    for number, part in enumerate((names[:5], names[5:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, folder / file)
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": is_tied}))
    return folder


def perturbed(weights: Tensors, seed: int) -> Tensors:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        name: (value.float() * (1 + 0.1 * torch.randn(value.shape, generator=generator))).to(
            value.dtype
        )
        for name, value in weights.items()
    }


@pytest.fixture(scope="module")
def folders(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model whose output layer is its embedding: the kind that a CPU packs apart."""
    import torch
    from safetensors.torch import save_file

    home = tmp_path_factory.mktemp("folders")
    base = {name: value for name, value in tensors(tiny_folder).items() if name != "lm_head.weight"}
    overflowing = dict(perturbed(base, 2))
    for name in overflowing:
        if "mlp" in name:
            overflowing[name] = torch.full_like(overflowing[name], 3e38)
    adapter = home / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps(
            {"peft_type": "LORA", "r": 4, "lora_alpha": 64, "target_modules": ["q_proj"],
             "bias": "none"}
        )
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    out_size, in_size = base[f"{LAYER}.weight"].shape
    save_file(
        {
            f"base_model.model.{LAYER}.lora_A.weight": torch.randn(4, in_size, generator=generator),
            f"base_model.model.{LAYER}.lora_B.weight": torch.randn(
                out_size, 4, generator=generator
            ),
        },
        adapter / "adapter_model.safetensors",
    )
    return {
        "base": copy_with(tiny_folder, home / "base", base, is_tied=True),
        "new": copy_with(tiny_folder, home / "new", perturbed(base, 1), is_tied=True),
        "overflowing": copy_with(tiny_folder, home / "overflowing", overflowing, is_tied=True),
        "adapter": adapter,
    }


@pytest.fixture(scope="module")
def sampling_server(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launched]:
    """`policy`, started on the old weights, and `fresh`, started on the new ones."""
    home = tmp_path_factory.mktemp("sampling") / "home"
    with launch(home, settings=SETTINGS.format(**folders), start_seconds=540) as server:
        yield server


class Client:
    """Asks in the train lane."""

    def __init__(self, http: aiohttp.ClientSession, server: Launched) -> None:
        self._http = http
        self._server = server

    async def __call__(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"authorization": f"Bearer {self._server.key}", "x-codeloop-lane": "train"}
        url = self._server.base_url + path
        async with self._http.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def draw(self, model: str, **body: Any) -> dict[str, Any]:
        asked = {"prompt_ids": list(range(100, 150)), "max_tokens": 24, "ignore_eos": True, **body}
        status, answer = await self("/v1/rollouts", model=model, **asked)
        assert status == 200, answer
        return answer

    async def greedy(self, model: str) -> tuple[list[int], list[float]]:
        (answer,) = (await self.draw(model, temperature=0))["answers"]
        return answer["token_ids"], answer["log_probs"]

    async def update(self, folder: Path, version: str, **body: Any) -> tuple[int, dict[str, Any]]:
        asked = {"model": "policy", "folder": str(folder), "version": version, **body}
        return await self("/admin/weights", **asked)


@pytest.fixture
async def ask(sampling_server: Launched) -> AsyncIterator[Client]:
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(session, sampling_server)


async def test_after_a_swap_the_engine_is_as_one_started_on_the_new_weights(
    ask: Client, folders: dict[str, Path]
) -> None:
    """Tokens and log-probs to the bit; the prompt was in the prefix cache under the old weights."""
    before = await ask.greedy("policy")
    status, report = await ask.update(folders["new"], "1")
    assert status == 200, report
    after = await ask.greedy("policy")
    assert after == await ask.greedy("fresh")
    assert after[1] != before[1]
    assert (await ask.update(folders["base"], "2"))[0] == 200
    assert await ask.greedy("policy") == before


async def test_answers_under_way_are_whole_and_know_their_versions(
    ask: Client, folders: dict[str, Path]
) -> None:
    under_way = asyncio.create_task(ask.draw("policy", n=4, max_tokens=1500))
    await ask.draw("policy", max_tokens=20)  # by its end the others have begun
    assert (await ask.update(folders["new"], "over"))[0] == 200
    for answer in (await under_way)["answers"]:
        spans = answer["versions"]
        assert spans[-1]["version"] == "over"
        assert len(spans) == 2
        assert [span["start"] for span in spans] == [0, spans[0]["end"]]
        assert spans[1]["end"] == len(answer["token_ids"]) == len(answer["log_probs"]) == 1500
        assert answer["finish_reason"] == "length"


async def test_weights_whose_answers_are_no_numbers_are_taken_out_again(
    ask: Client, folders: dict[str, Path]
) -> None:
    """Every weight is finite, so the folder verifies; the probe finds what the model makes of them."""
    assert (await ask.update(folders["base"], "sound"))[0] == 200
    before = await ask.greedy("policy")
    status, answer = await ask.update(folders["overflowing"], "unsound")
    assert (status, answer["error"]["code"]) == (502, "update_failed")
    assert "NaN or infinity" in answer["error"]["message"]
    assert await ask.greedy("policy") == before
    assert (await ask.draw("policy"))["system_fingerprint"] == "policy@sound"


async def test_log_probs_of_given_tokens_are_those_they_were_drawn_with(ask: Client) -> None:
    """Temperature included; to what bfloat16 leaves of them in batches of another size."""
    body = {"prompt_ids": list(range(100, 140)), "temperature": 0.7}
    drawn = (await ask.draw("policy", n=3, **body))["answers"]
    sequences = [
        {"prompt_ids": body["prompt_ids"], "answer_ids": answer["token_ids"]} for answer in drawn
    ]
    status, found = await ask("/v1/log_probs", model="policy", temperature=0.7, sequences=sequences)
    assert status == 200, found
    for answer, log_probs in zip(drawn, found["log_probs"], strict=True):
        assert log_probs == pytest.approx(answer["log_probs"], abs=0.05)


async def test_an_adapter_changes_its_own_answers_only(
    ask: Client, folders: dict[str, Path]
) -> None:
    before = await ask.greedy("fresh")
    status, report = await ask.update(folders["adapter"], "1", model="fresh", mode="adapter")
    assert (status, report["model"]) == (200, "fresh@1"), report
    adapted = await ask.draw("fresh@1", temperature=0)
    assert adapted["system_fingerprint"] == "fresh@1"
    assert adapted["answers"][0]["log_probs"] != before[1]
    assert await ask.greedy("fresh") == before
