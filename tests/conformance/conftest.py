"""One server over the scripted engine for all clients of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.launch import Launched, launch

SCRIPT = """
num_tokens = 8

[[faults]]
kind = "error"
after_tokens = 3
when = "please-fail"

[[faults]]
kind = "stall"
after_tokens = 1
when = "please-hold"
seconds = 60.0
"""

SETTINGS = """
[server]
header_seconds = 0.7
body_bytes = 4194304

[server.lanes.eval]
queue = 0
share = 0.02

[[server.models]]
name = "scripted"
aliases = ["gpt-4o"]
engine = "scripted"
script = "{script}"
concurrency = 64
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A model `scripted`, alias `gpt-4o`, that answers eight words; `please-fail` breaks a stream, `please-hold` holds it."""
    home: Path = tmp_path_factory.mktemp("conformance")
    script = home / "script.toml"
    script.write_text(SCRIPT)
    with launch(home / "home", settings=SETTINGS.format(script=script)) as launched:
        yield launched
