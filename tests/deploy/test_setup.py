"""The set-up scripts: where packages come from, and what is refused before anything is made."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTORCH = "https://download.pytorch.org/whl/cpu/torch/"
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "SSL_"))}
    return subprocess.run(
        ["sh", "-c", script],
        env={**inherited, "PIP_CONFIG_FILE": os.devnull, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def sources(engine: str, **environment: str) -> str:
    """The arguments for uv, with pip's settings given by environment variables alone."""
    result = shell(
        "set -eu; . deploy/package_sources.sh;"
        f" find_sources {engine} locks/{engine}.txt; echo $SOURCES",
        PYTHON=sys.executable,
        **environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def torch_version() -> str:
    found = re.search(r"^torch==(\S+\+cpu)", (ROOT / "locks/cpu.txt").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_cpu_torch_comes_from_the_wheel_folder_that_pip_knows(tmp_path: pathlib.Path) -> None:
    (tmp_path / f"torch-{torch_version()}-{TAG}-{TAG}-linux_x86_64.whl").touch()
    assert sources("cpu", PIP_FIND_LINKS=str(tmp_path)) == f"--find-links {tmp_path}"


def test_cpu_torch_comes_from_pytorch_where_no_folder_has_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "torch-1.0.0+cpu-cp36-cp36m-linux_x86_64.whl").touch()
    assert sources("cpu") == f"--find-links {PYTORCH}"
    assert sources("cpu", PIP_FIND_LINKS=str(tmp_path)).endswith(f"--find-links {PYTORCH}")


def test_a_folder_with_the_cpu_torch_is_kept_from_a_gpu(tmp_path: pathlib.Path) -> None:
    assert sources("gpu", PIP_FIND_LINKS=str(tmp_path)) == ""


def test_a_mirror_that_pip_knows_is_used() -> None:
    arguments = sources(
        "gpu",
        PIP_INDEX_URL="https://mirror.example/simple",
        PIP_EXTRA_INDEX_URL="https://a.example https://b.example",
    )
    assert arguments == (
        "--default-index https://mirror.example/simple --index https://a.example"
        " --index https://b.example --index-strategy unsafe-best-match"
    )


def test_settings_of_uv_win_over_those_of_pip() -> None:
    environment = {
        "PIP_INDEX_URL": "https://pip.example/simple",
        "UV_DEFAULT_INDEX": "https://uv.example/simple",
    }
    assert sources("gpu", **environment) == ""


@pytest.mark.parametrize("lock", sorted((ROOT / "locks").glob("[cg]pu*.txt")), ids=lambda p: p.name)
def test_lock_pins_every_package_and_names_no_place(lock: pathlib.Path) -> None:
    pin = re.compile(r"[a-z0-9][a-z0-9.-]*==[^\s/:]+( ; .*)?")
    assert [line for line in lock.read_text().splitlines() if not pin.fullmatch(line)] == []


@pytest.mark.parametrize("engine", ["cpu", "gpu"])
def test_what_serves_is_what_was_tested(engine: str) -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / "locks" / name).read_text().splitlines()
        return {line.partition(" ;")[0] for line in lines}

    assert pins(f"{engine}.txt") <= pins(f"{engine}-dev.txt")


def test_setup_refuses_to_empty_a_folder_of_something_else(tmp_path: pathlib.Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.touch()
    result = shell("sh deploy/setup.sh serve", CODELOOP_VENV=str(tmp_path), CODELOOP_ENGINE="cpu")
    assert result.returncode == 1
    assert "other than a Python environment" in result.stderr
    assert precious.exists()


def test_setup_names_the_python_it_needs(tmp_path: pathlib.Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = shell(
        "sh deploy/setup.sh serve",
        CODELOOP_VENV=str(tmp_path / "venv"),
        CODELOOP_ENGINE="cpu",
        CODELOOP_PYTHON=str(old),
    )
    assert result.returncode == 1
    assert "no Python from 3.11" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_setup_refuses_an_unknown_mode() -> None:
    result = shell("sh deploy/setup.sh fly", CODELOOP_ENGINE="cpu")
    assert result.returncode == 1
    assert "the mode is serve or test" in result.stderr
