"""`codeloop train cluster` on a Ray cluster of two nodes, both on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.loop.make_tiny import make
from server.model_manifest import verify
from trainer.event_log import read_log

ROOT = Path(__file__).parents[2]
SECONDS = 240
SERVER = """
[server.lanes.train]
share = 1.0

[[server.models]]
name = "policy"
engine = "scripted"
role = "sampler"
script = "{script}"
"""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(2 * SECONDS)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of the cluster."""
    with subprocess.Popen(
        [sys.executable, ROOT / "tests" / "two_machines.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nodes:
        assert nodes.stdin
        assert nodes.stdout
        yield nodes.stdout.readline().strip()
        nodes.stdin.close()
        nodes.wait(60)


def trained(folder: Path, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    settings = folder / "sampler.toml"
    settings.write_text(SERVER.format(script=folder / "tiny" / "script.toml"))
    command = [sys.executable, "-m", "deploy", "--home", str(folder / "home"), "train", "cluster"]
    command += [str(folder / "tiny" / "recipe.toml"), "--server", str(settings)]
    return subprocess.run(
        [*command, "--address", address, "--out", str(folder / "run"), *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        text=True,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )


def test_samplers_and_learners_work_together_over_two_machines(
    address: str, tmp_path: Path
) -> None:
    make(tmp_path / "tiny")
    asked = ["--samplers", "2", "--learners", "2", "--set", "limits.iterations=3"]
    done = trained(tmp_path, address, *asked)
    assert done.returncode == 0, done.stderr
    assert "placed on 2 machines" in done.stderr
    rows = list(read_log(tmp_path / "run"))
    assert rows[0]["sampler"]["samplers"] == "2"
    assert [row["iteration"] for row in rows if row["type"] == "iteration"] == [1, 2, 3]
    verify(max((tmp_path / "run" / "versions").iterdir()))
    for name in ("sampler-0", "sampler-1", "learner-0", "learner-1"):
        assert (tmp_path / "run.logs" / f"{name}.log").exists()

    more = ["--samplers", "1", "--learners", "2", "--resume", "--set", "limits.iterations=4"]
    assert trained(tmp_path, address, *more).returncode == 0
    assert list(read_log(tmp_path / "run"))[-1]["iterations"] == 4


def test_no_cluster_is_told(tmp_path: Path) -> None:
    make(tmp_path / "tiny")
    done = trained(tmp_path, "127.0.0.1:9")
    assert done.returncode == 15
    assert "no Ray cluster at '127.0.0.1:9'" in done.stderr
