"""`codeloop check`: findings on this machine, and the ones that must fail."""

import json
import pathlib
import socket

import pytest

from deploy.check import findings
from deploy.config import Settings
from deploy.finding import Level
from deploy.machine import available_memory_bytes, existing_parent, gpus
from deploy.settings import DeploySettings
from server.settings import ModelSettings, ServerSettings
from tests.deploy.conftest import Codeloop

SUBJECTS = (
    "python", "cpu", "gpu", "memory", "home", "disk", "database", "port", "engine", "torch", "model", "hub",
)  # fmt: skip


def settings(home: pathlib.Path, port: int = 0) -> Settings:
    return Settings(deploy=DeploySettings(home=home), server=ServerSettings(port=port))


def levels(chosen: Settings, *subjects: str) -> list[Level]:
    # The findings are made one by one; what comes after the last one wanted is not looked at.
    found: dict[str, Level] = {}
    for finding in findings(chosen):
        found[finding.subject] = finding.level
        if found.keys() >= set(subjects):
            break
    return [found[subject] for subject in subjects]


def test_port_in_use_fails(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: int = other.getsockname()[1]
        assert levels(settings(tmp_path, taken), "port") == [Level.FAIL]


def test_a_home_to_be_made_is_fine_and_leaves_no_trace(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "a" / "b"
    assert levels(settings(home), "home", "disk", "database") == [Level.OK] * 3
    assert not home.parent.exists()


def test_broken_database_fails(tmp_path: pathlib.Path) -> None:
    (tmp_path / "codeloop.db").write_bytes(b"no database at all, but long enough " * 40)
    assert levels(settings(tmp_path), "database") == [Level.FAIL]


def test_a_model_that_is_not_here_yet_is_a_warning(tmp_path: pathlib.Path) -> None:
    assert levels(settings(tmp_path), "model") == [Level.WARN]


def test_a_model_folder_without_its_files_fails(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    served = ServerSettings(port=0, models=(ModelSettings(name="broken", source=str(broken)),))
    chosen = Settings(deploy=DeploySettings(home=tmp_path), server=served)
    assert levels(chosen, "model") == [Level.FAIL]


def test_json_has_one_object_a_finding_and_a_fix_for_all_that_is_not_ok(
    codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "free.toml").write_text("[server]\nport = 0\n")
    result = codeloop("--config", "free.toml", "check", "--json")
    rows = json.loads(result.stdout)
    assert tuple(row["subject"] for row in rows) == SUBJECTS
    assert all(row["fix"] for row in rows if row["level"] != "ok")
    assert result.returncode == int(any(row["level"] == "fail" for row in rows))


def test_wrong_settings_are_a_finding_among_others(
    codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "codeloop.toml").write_text("[server]\nport = -1\n")
    result = codeloop("check")
    assert result.returncode == 1
    assert result.stdout.startswith("fail  settings  codeloop.toml: server.port is -1")
    assert len(result.stdout.splitlines()) == 1 + len(SUBJECTS)


def test_memory_is_measured_in_bytes_and_positive() -> None:
    assert available_memory_bytes() > 2**20


def test_existing_parent_of_a_missing_folder_is_the_nearest_above(tmp_path: pathlib.Path) -> None:
    assert existing_parent(tmp_path / "x" / "y") == tmp_path


@pytest.mark.gpu
def test_gpu_is_named_with_its_memory() -> None:
    assert all(gpu.name and gpu.memory_bytes > 2**30 for gpu in gpus())
