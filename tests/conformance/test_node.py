"""OpenAI's Node SDK, which the editor extensions are built on."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.launch import Launched

VERSION = "6.9.0"
SCRIPT = Path(__file__).parent / "node_client.mjs"
INSTALL_SECONDS = 120


@pytest.fixture(scope="module")
def sdk() -> Path:
    """A folder with the SDK in it, installed once on a machine."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    folder = cache / "codeloop" / f"node-openai-{VERSION}"
    if not (folder / "node_modules" / "openai").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", f"openai@{VERSION}"]
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm cannot install openai {VERSION}: {done.stderr.strip()[-200:]}")
    return folder


def test_the_node_sdk_drives_every_route(sdk: Path, server: Launched) -> None:
    script = sdk / SCRIPT.name  # beside node_modules, where node looks for the SDK
    shutil.copyfile(SCRIPT, script)
    done = subprocess.run(
        ["node", str(script), server.url, server.key],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "chat": ["length", 5],
        "stream": [True, 8],
        "completion": "length",
        "response": [True, 4],
        "events": ["response.created", "response.completed"],
        "models": ["scripted"],
        "retrieved": "scripted",
        "errors": {
            "missing": ["NotFoundError", "model_not_found"],
            "long": ["BadRequestError", "context_length_exceeded"],
            "key": ["AuthenticationError", "invalid_api_key"],
            "broken": ["APIError", "engine_error"],
        },
    }
