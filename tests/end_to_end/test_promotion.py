"""A version goes live in the real engine under users, answers as its weights say, and is taken back."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched
from server.model_manifest import write_manifest
from server.version_catalog import VersionCatalog
from server.version_states import State

MODEL = "tiny-64k"
PROBE = {"prompt": "def add(a, b):", "max_tokens": 16, "temperature": 0, "logprobs": 1}
BFLOAT16_NATS = 0.05
"""Between two implementations in that precision, a token."""


def perturbed(base: Path, folder: Path) -> Path:
    """The same model with other numbers, signed as a trainer signs it."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("manifest.json"))
    generator = torch.Generator().manual_seed(1)
    weights = {
        name: (value.float() * (1 + 0.1 * torch.randn(value.shape, generator=generator))).to(
            value.dtype
        )
        for name, value in load_file(folder / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    write_manifest(folder, name="new", source="test", revision=None, family="generic")
    return folder


def reference_log_probs(folder: Path, token_texts: list[str]) -> list[float]:
    """Of the engine's own greedy tokens, by transformers on the weights of a folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    prompt = tokenizer(str(PROBE["prompt"]))["input_ids"]
    answer = [int(text.removeprefix("token_id:")) for text in token_texts]
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    chosen = torch.log_softmax(logits.float(), -1)[range(len(answer)), answer]
    return [float(value) for value in chosen]


class Client:
    def __init__(self, http: aiohttp.ClientSession, server: Launched) -> None:
        self._http = http
        self._server = server

    async def __call__(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._server.key}"}
        url = self._server.base_url + path
        async with self._http.post(url, json=body, headers=headers) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, found
            return found

    async def greedy(self) -> tuple[list[str], list[float]]:
        body = PROBE | {"model": MODEL, "return_tokens_as_token_ids": True}
        found = (await self("/v1/completions", body))["choices"][0]["logprobs"]
        return found["tokens"], found["token_logprobs"]


async def test_in_place_under_users_and_back(
    http: aiohttp.ClientSession, server: Launched, tiny_folder: Path, tmp_path: Path
) -> None:
    new = perturbed(tiny_folder, tmp_path / "new")
    store = server.store()
    catalog = VersionCatalog(store, server.home / "versions")
    catalog.adopt_base(MODEL, tiny_folder, actor="test")
    catalog.publish(MODEL, new, version="a", actor="test")
    catalog.advance(MODEL, "a", State.GATED, actor="test", reason="passed")
    store.close()
    ask = Client(http, server)
    before = await ask.greedy()
    long = {"model": MODEL, "prompt": "x", "max_tokens": 1000, "ignore_eos": True}
    users = [asyncio.create_task(ask("/v1/completions", long)) for _ in range(4)]
    await ask("/v1/completions", long | {"max_tokens": 4})

    done = await ask("/admin/promotions", {"version": "a", "way": "in_place"})
    assert done["report"]["weights_digest"] == done["report"]["expected_digest"]
    after = await ask.greedy()
    assert after[0] != before[0]
    assert after[1] == pytest.approx(reference_log_probs(new, after[0]), abs=BFLOAT16_NATS)
    for answer in await asyncio.gather(*users):
        assert answer["usage"]["completion_tokens"] == 1000
        assert answer["system_fingerprint"] in (f"{MODEL}@0", f"{MODEL}@0,a", f"{MODEL}@a")

    await ask("/admin/rollback", {"reason": "the test is over"})
    restored = await ask.greedy()
    assert restored[0] == before[0]
    assert restored[1] == pytest.approx(before[1], abs=1e-3)
