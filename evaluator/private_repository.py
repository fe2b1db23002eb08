"""Text files of a git repository at a commit, for problems of a private suite. Only reads."""

import io
import subprocess
import tarfile
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from evaluator.errors import DataInvalid

_SECONDS = 300


@lru_cache(maxsize=8)
def files_at(repository: Path, revision: str, include: tuple[str, ...]) -> dict[str, str]:
    """Path → text of the files at a commit; what is no UTF-8, and links, are left out.

    include: only these files and folders; empty means all. Raises DataInvalid.
    """
    packed = _git(repository, "archive", "--format=tar", _commit(repository, revision), *include)
    files: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is None:
                continue
            try:
                files[member.name] = stream.read().decode("utf-8")
            except UnicodeDecodeError:
                continue
    return files


def some_files(repository: Path, revision: str, paths: Collection[str]) -> dict[str, str]:
    """Path → text of the named files at a commit. Raises DataInvalid for one that is not there."""
    return {
        path: _git(repository, "show", f"{_commit(repository, revision)}:{path}").decode(
            "utf-8", "replace"
        )
        for path in paths
    }


def _commit(repository: Path, revision: str) -> str:
    """The hash of a revision, which may begin with a dash only by mistake or by malice."""
    spec = f"{revision}^{{commit}}"
    return _git(repository, "rev-parse", "--verify", "--end-of-options", spec).decode().strip()


def _git(repository: Path, *words: str) -> bytes:
    if not repository.is_dir():
        raise DataInvalid(
            f"repository {repository} is no folder: clone it there, or correct the path"
        )
    try:
        done = subprocess.run(  # its arguments are a list; no shell takes part
            ["git", "-C", str(repository), *words],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError as error:
        raise DataInvalid(
            "git is not installed here: problems with a repository need it"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DataInvalid(
            f"git took more than {_SECONDS} s in {repository}: use a smaller clone"
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DataInvalid(
            f"git {words[0]} failed in {repository}: {said[-1] if said else 'no reason given'}"
        )
    return done.stdout
