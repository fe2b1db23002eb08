"""`codeloop promote` and `codeloop rollback` on a running server, and on one that cannot start."""

import json
import pathlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess
from typing import Any

import pytest

from deploy.errors import LaunchError
from deploy.launch import Launched, launch
from server.version_states import State

Codeloop = Callable[..., CompletedProcess[str]]


class Place:
    """A home with settings for the scripted engine, and the commands on its server."""

    def __init__(self, codeloop: Codeloop, published: Any, site: Any, folder: pathlib.Path) -> None:
        self.home = folder / "home"
        self.base = published.write_model(folder / "base")
        self._codeloop, self._published, self._site = codeloop, published, site
        self._folder = folder
        self._script = folder / "script.toml"
        self._script.write_text(f"weights = '{self.base}'\n")

    @contextmanager
    def serving(self) -> Iterator[Any]:
        """The server's `Site`."""
        settings = (
            "[[server.models]]\nname = 'scripted'\nengine = 'scripted'\n"
            f"script = '{self._script}'\n"
        )
        with launch(self.home, settings=settings) as server:
            yield self._site.Site(server, None, self._published, self._folder)

    def run(self, server: Launched, *arguments: str) -> CompletedProcess[str]:
        """A command that asks the server."""
        return self._codeloop(*arguments, "--url", server.url, "--key", server.key)

    def offline(self, *arguments: str) -> CompletedProcess[str]:
        """A command on the home alone."""
        return self._codeloop("--home", str(self.home), *arguments)

    def live(self) -> str:
        listed = json.loads(self.offline("versions", "list", "--json").stdout)
        (live,) = [each["name"] for each in listed if each["state"] == "live"]
        return str(live)


@pytest.fixture
def place(codeloop: Codeloop, published: Any, promotion_site: Any, tmp_path: pathlib.Path) -> Place:
    return Place(codeloop, published, promotion_site, tmp_path)


def test_a_verdict_is_given_the_version_promoted_and_taken_back(
    place: Place, tmp_path: pathlib.Path
) -> None:
    verdict = tmp_path / "verdict.json"
    with place.serving() as here:
        folder = here.publish("a", state=State.VERIFIED)
        refused = place.run(here.server, "promote", "a")
        assert refused.returncode == 1
        assert "gate" in refused.stderr
        verdict.write_text("no verdict")
        refused = place.run(here.server, "promote", "a", "--gate", str(verdict))
        assert refused.returncode == 1
        assert "codeloop eval gate --out" in refused.stderr

        digest = json.loads(place.offline("versions", "show", "scripted@a", "--json").stdout)
        suite = {"suite": "short", "score": 0.5, "low": 0.4, "high": 0.6, "num_problems": 99}
        told = {
            "candidate_weights": digest["weights_digest"],
            "live_weights": "",
            "evidence": [suite],
        }
        verdict.write_text(json.dumps({**told, "answer": "inconclusive"}))
        undecided = place.run(here.server, "promote", "a", "--gate", str(verdict))
        assert undecided.returncode == 1
        assert "inconclusive" in undecided.stdout

        verdict.write_text(json.dumps({**told, "answer": "passed"}))
        gate = ("--gate", str(verdict))
        planned = place.run(here.server, "promote", "scripted@a", *gate, "--dry-run")
        assert planned.returncode == 0, planned.stderr
        assert "steps" in planned.stdout
        assert place.live() == "scripted@0"
        assert here.state_of("a") is State.GATED
        done = place.run(here.server, "promote", "a", "--way", "in_place")
        assert "pause" in done.stdout, done.stderr
        assert place.live() == "scripted@a"
        again = place.run(here.server, "promote", "a")
        assert again.returncode == 1
        assert "live" in again.stderr
        back = place.run(here.server, "rollback", "--reason", "users complain", "--json")
        assert json.loads(back.stdout)["plan"]["version"] == "0", back.stderr
        assert place.live() == "scripted@0"
        none = place.run(here.server, "rollback")
        assert none.returncode == 1
        assert folder.is_dir()


def test_a_server_that_cannot_start_on_its_live_version_says_how_it_can(place: Place) -> None:
    with place.serving() as here:
        folder = here.publish("a")
        assert place.run(here.server, "promote", "a").returncode == 0
    # Not the version's folder alone, which a server would fall back from by itself.
    shutil.rmtree(folder.parent)
    with pytest.raises(LaunchError, match="codeloop rollback scripted --offline"), place.serving():
        pass
    done = place.offline("rollback", "scripted", "--offline")
    assert (done.returncode, "scripted@0 is live" in done.stdout) == (0, True), done.stderr
    with place.serving():
        assert place.live() == "scripted@0"
    again = place.offline("rollback", "scripted", "--offline")
    assert again.returncode == 1
