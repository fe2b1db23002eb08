"""No legal request ends the engine: half a minute of them, the same ones on every machine."""

import subprocess
import sys
from pathlib import Path

from deploy.launch import Launched

PROGRAM = Path(__file__).with_name("fuzz_engine.py")


def test_no_legal_request_ends_the_engine_or_is_answered_as_our_fault(server: Launched) -> None:
    command = [sys.executable, str(PROGRAM), "--minutes", "0.5", "--seed", "3"]
    done = subprocess.run(
        [*command, "--url", server.base_url, "--key", server.key],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
