"""Logs of runs that never were."""

import importlib.util
import pathlib
from typing import Any

import pytest


@pytest.fixture(scope="session")
def made_log() -> Any:
    """The functions of made_log.py; the tests' folders are no packages."""
    path = pathlib.Path(__file__).with_name("made_log.py")
    spec = importlib.util.spec_from_file_location("made_log", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
