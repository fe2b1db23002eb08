"""Weights that come and go leave nothing on a heap that keeps what is freed."""

import os
import subprocess
import sys

import pytest

from server.cpu_engine import cpu_environment
from server.own_pages import KEEPS_FREED
from server.settings import ModelSettings

PROGRAM = """
import contextlib, sys
from server.own_pages import own_pages

def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

before = resident_mib()
with own_pages() if sys.argv[1] == "own" else contextlib.nullcontext():
    pieces = [bytearray(2**24) for _ in range(32)]
del pieces
print(resident_mib() - before)
"""


def kept_mib(where: str, tunables: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, where],
        env=os.environ | {"GLIBC_TUNABLES": tunables},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return float(done.stdout)


@pytest.fixture
def tunables() -> str:
    """Of an engine's process on a CPU."""
    settings = ModelSettings(name="tiny", source="tiny-64k")
    found = cpu_environment(settings, num_engines=1, around={})["GLIBC_TUNABLES"]
    assert KEEPS_FREED in found
    return found


def test_what_was_asked_for_in_own_pages_goes_back_when_it_is_freed(tunables: str) -> None:
    assert kept_mib("heap", tunables) > 500
    assert kept_mib("own", tunables) < 100


def test_where_the_heap_keeps_nothing_nothing_changes() -> None:
    assert kept_mib("own", "") < 100
