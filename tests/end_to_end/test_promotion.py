"""A version goes live in the real engine under users, answers as a fresh server does, and comes back."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched, launch
from server.model_manifest import write_manifest
from server.version_catalog import VersionCatalog
from server.version_states import State

SETTINGS = """
[[server.models]]
name = "users"
source = "{base}"
context_tokens = 2048
kv_cache_bytes = 134217728
[[server.models]]
name = "fresh"
source = "{new}"
context_tokens = 2048
kv_cache_bytes = 134217728
"""
PROBE = {"prompt": "def add(a, b):", "max_tokens": 16, "temperature": 0, "logprobs": 1}


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


@pytest.fixture(scope="module")
def promoted(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """`users` on the tiny model with a gated version `a`; `fresh`, started on the weights of `a`."""
    folder = tmp_path_factory.mktemp("promotion")
    new = perturbed(tiny_folder, folder / "new")
    with launch(folder / "home", settings=SETTINGS.format(base=tiny_folder, new=new)) as server:
        store = server.store()
        catalog = VersionCatalog(store, server.home / "versions")
        catalog.adopt_base("users", tiny_folder, actor="test")
        catalog.publish("users", new, version="a", actor="test")
        catalog.advance("users", "a", State.GATED, actor="test", reason="passed")
        store.close()
        yield server


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

    async def greedy(self, model: str) -> tuple[list[str], list[float]]:
        answer = await self("/v1/completions", PROBE | {"model": model})
        found = answer["choices"][0]["logprobs"]
        return found["tokens"], found["token_logprobs"]


async def test_in_place_under_users_and_back(
    http: aiohttp.ClientSession, promoted: Launched
) -> None:
    ask = Client(http, promoted)
    before, expected = await ask.greedy("users"), await ask.greedy("fresh")
    assert before[0] != expected[0]
    long = {"model": "users", "prompt": "x", "max_tokens": 1000, "ignore_eos": True}
    users = [asyncio.create_task(ask("/v1/completions", long)) for _ in range(4)]
    await ask("/v1/completions", long | {"max_tokens": 4})

    done = await ask("/admin/promotions", {"version": "a", "way": "in_place"})
    report = done["report"]
    assert report["weights_digest"] == report["expected_digest"]
    after = await ask.greedy("users")
    assert after[0] == expected[0]
    assert after[1] == pytest.approx(expected[1], abs=1e-3)
    for answer in await asyncio.gather(*users):
        assert answer["usage"]["completion_tokens"] == 1000
        assert answer["system_fingerprint"] in ("users@0", "users@0,a")

    await ask("/admin/rollback", {"reason": "the test is over"})
    assert (await ask.greedy("users"))[0] == before[0]
