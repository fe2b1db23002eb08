"""What a server begins on: the live version if it is whole, else what was live before it."""

import os
import pathlib
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from deploy.errors import LaunchError
from deploy.launch import launch
from server.version_states import State


class Home:
    """A home whose server is started more than once. `a` is promoted over the base, `b` over `a`."""

    def __init__(self, published: Any, site: Any, folder: pathlib.Path) -> None:
        self.path = folder / "home"
        self.published = published
        self._site = site
        self._folder = folder
        self._script = folder / "script.toml"
        self._script.write_text(f"weights = '{published.write_model(folder / 'base')}'\n")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Any]:
        """The server's `Site`."""
        settings = (
            "[[server.models]]\nname = 'scripted'\nengine = 'scripted'\nadapters = 2\n"
            f"script = '{self._script}'\n"
        )
        with launch(self.path, settings=settings) as server:
            timeout = aiohttp.ClientTimeout(total=90)
            async with aiohttp.ClientSession(timeout=timeout) as http:
                yield self._site.Site(server, http, self.published, self._folder)

    async def promote(self, *versions: str, kind: str = "version") -> list[pathlib.Path]:
        """In a server that ends after it; the versions' folders."""
        folders = []
        async with self.serving() as here:
            for version in versions:
                folders.append(here.publish(version, kind=kind))
                status, told = await here.promote(version)
                assert status == 200, told
        return folders

    def forge(self, folder: pathlib.Path) -> None:
        """Other numbers, and a manifest that says so."""
        flip(folder)
        self.published.write_manifest(folder)


@pytest.fixture
def home(published: Any, promotion_site: Any, tmp_path: pathlib.Path) -> Home:
    return Home(published, promotion_site, tmp_path)


def flip(folder: pathlib.Path) -> None:
    """One bit of the last number, which stays finite."""
    *_, weights = sorted(folder.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1
    weights.write_bytes(content)


async def test_a_damaged_live_version_gives_way_to_the_one_before(home: Home) -> None:
    first, second = await home.promote("a", "b")
    flip(second)
    async with home.serving() as here:
        assert await here.ask() == "scripted@a"
        assert here.state_of("b") is State.REJECTED
        with here.catalog() as catalog:
            (row,) = [
                each
                for each in catalog.history("scripted", "a")
                if each.reason.startswith("fell back")
            ]
        assert row.actor == "server"
        assert str(second) in row.evidence["damage"]
        assert "fell back to scripted@a" in here.server.log_path.read_text()
    home.forge(first)
    async with home.serving() as here:
        assert await here.ask() == "scripted@0"


async def test_when_the_one_before_is_damaged_too_it_is_the_one_before_that(home: Home) -> None:
    first, second = await home.promote("a", "b")
    flip(first)
    shutil.rmtree(second)
    async with home.serving() as here:
        assert await here.ask() == "scripted@0"
        assert here.state_of("a") is State.REJECTED


async def test_a_damaged_adapter_gives_way_too(home: Home) -> None:
    (folder,) = await home.promote("a", kind="adapter")
    home.forge(folder)
    async with home.serving() as here:
        assert await here.ask() == "scripted@0"


async def test_a_missing_disk_is_no_missing_version(home: Home, tmp_path: pathlib.Path) -> None:
    await home.promote("a")
    versions = home.path / "versions"
    versions.rename(tmp_path / "elsewhere")
    versions.mkdir()
    with pytest.raises(LaunchError, match="mount its disk"):
        async with home.serving():
            pass
    shutil.rmtree(versions)
    (tmp_path / "elsewhere").rename(versions)
    async with home.serving() as here:
        assert await here.ask() == "scripted@a"


@pytest.mark.parametrize(("kind", "way"), [("version", "in_place"), ("adapter", "adapter")])
async def test_an_engine_that_died_takes_nothing_else_for_what_it_had(
    home: Home, kind: str, way: str
) -> None:
    async with home.serving() as here:
        folder = here.publish("a", kind=kind)
        assert (await here.promote("a", way=way))[0] == 200
        kept = folder.with_name("kept")
        shutil.copytree(folder, kept)
        home.forge(folder)
        (pid,) = here.server.engine_pids()
        os.kill(pid, signal.SIGKILL)

        async def is_refused() -> bool:
            _, ready = await here("GET", "/health/ready")
            return "its files were changed" in str(ready)

        await here.until(is_refused)
        assert (await here.answer())[0] == 503
        shutil.rmtree(folder)
        kept.rename(folder)

        async def is_back() -> bool:
            return bool(await here.answer() == (200, "scripted@a"))

        await here.until(is_back)
