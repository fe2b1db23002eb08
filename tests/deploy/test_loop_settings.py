"""A loop's file, refused with what is wrong and the way out."""

from pathlib import Path

import pytest

from deploy.config import load_settings
from deploy.errors import LoopInvalid, LoopRefused
from deploy.loop import settings as loop_settings
from deploy.loop.journal import Journal
from deploy.loop.settings import check_models, read_loop

SHIPPED = Path(loop_settings.__file__).parent


def test_the_shipped_loop_fits_its_server() -> None:
    loop = read_loop(SHIPPED / "example.toml")
    server = load_settings(SHIPPED / "example_server.toml").server
    check_models(loop, server)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rounds = 3", "rounds = -1", "rounds is -1"),
        ("\niterations = ", "\niteration = ", "iteration"),
        ("improvement = 0.0", "margin = 2", "gate.suites.short-functions-held-out.margin is 2"),
        ("[heldout]", "[heldout", "is no TOML"),
    ],
)
def test_a_wrong_key_is_named(old: str, new: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    shipped = (SHIPPED / "example.toml").read_text()
    assert old in shipped
    path.write_text(shipped.replace(old, new))
    with pytest.raises(LoopInvalid, match=told):
        read_loop(path)


def test_a_sampler_that_serves_users_is_refused() -> None:
    loop = read_loop(SHIPPED / "example.toml").model_copy(update={"sampler": "smollm2-135m"})
    server = load_settings(SHIPPED / "example_server.toml").server
    with pytest.raises(LoopInvalid, match="sampler is 'smollm2-135m', which is serving"):
        check_models(loop, server)


def test_a_loop_has_one_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(LoopRefused, match="being run by another process"):
        Journal(tmp_path)
    journal.close()
