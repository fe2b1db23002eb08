"""How the files of a model come into a folder: made here, or copied. From the hub: `model_hub`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from server.errors import ModelCorrupt, ModelError
from server.model_manifest import sha256
from server.model_names import Embedded
from server.transfer import Progress, gigabytes, told

WANTED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.json",
    "*.jinja",
    "tokenizer.model",
    "LICENSE*",
)
"""Files fetched from a hub or copied. Never pickle: loading it runs code of whoever wrote it."""

NOT_COPIED = ("manifest.json",)
"""Of the folder that is copied; the store writes its own."""

SPARE_BYTES = 512 * 2**20
"""Room that must be left on the disk after a pull; a full disk takes the database along."""

OUR_CODE = Path(__file__).resolve().parent.parent


def need_room(folder: Path, num_bytes: int, what: str) -> None:
    """Raise ModelError unless the disk of `folder` has the bytes and some to spare."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < num_bytes + SPARE_BYTES:
        raise ModelError(
            f"{what} needs {gigabytes(num_bytes)} in {folder}, where {gigabytes(free_bytes)} are"
            f" free and {gigabytes(SPARE_BYTES)} must be left: make room, or choose another disk"
            " with --home"
        )


def make(embedded: Embedded, destination: Path, progress: Progress) -> None:
    """Run the program that makes an embedded model.

    Raises ModelError with the program's last words, ModelCorrupt when it made something else.
    """
    need_room(destination, embedded.num_bytes, embedded.program.removeprefix("server.make_"))
    progress("converting, which takes half a minute")
    done = subprocess.run(
        [sys.executable, "-m", embedded.program, str(destination.resolve())],
        # `-m` looks in the working folder first, and somebody's own `server` may be there.
        cwd=OUR_CODE,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode < 0:
        raise ModelError(
            f"{embedded.program} was ended by signal {-done.returncode}: most likely memory ran out"
            " (it needs 2 GB); end what else runs and pull again"
        )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ModelError(f"{embedded.program} failed with code {done.returncode}:\n{last}")
    found = sha256(destination / "model.safetensors")
    if embedded.sha256 not in (None, found):
        raise ModelCorrupt(
            f"{embedded.program} made weights with sha256 {found[:12]}…: {embedded.sha256[:12]}…"
            " was expected; reinstall the environment from its lock file and pull again"
        )


def copy(folder: Path, destination: Path, progress: Progress) -> None:
    """Copy the files of a model folder that are wanted. Raises ModelError where there is no room."""
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and path.name not in NOT_COPIED
        and any(path.match(pattern) for pattern in WANTED)
    ]
    num_bytes = sum(path.stat().st_size for path in files)
    need_room(destination, num_bytes, str(folder))
    with told(f"copying {folder}", destination, num_bytes, progress):
        for path in files:
            shutil.copyfile(path, destination / path.name)
