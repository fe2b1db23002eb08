"""How far the filling of a folder has come, told while it goes on."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Progress = Callable[[str], None]

REPORT_SECONDS = 5.0
"""Often enough for a person who waits, seldom enough for a server's log."""


def silent(message: str) -> None:
    """A progress that says nothing."""


@contextlib.contextmanager
def told(
    what: str,
    folder: Path,
    num_bytes: int,
    progress: Progress,
    *,
    report_seconds: float = REPORT_SECONDS,
) -> Iterator[None]:
    """While the block runs, say how much of `num_bytes` lies in `folder`, and when it will be all.

    Whoever writes there need not know of it: what the folder takes on the disk is what counts, so
    half a file that a download goes on with counts too.
    """
    progress(f"{what}, {gigabytes(num_bytes)}")
    is_over = threading.Event()
    first_bytes, began = bytes_on_disk(folder), time.monotonic()

    def report() -> None:
        while not is_over.wait(report_seconds):
            done_bytes = min(bytes_on_disk(folder), num_bytes)
            rate = (done_bytes - first_bytes) / (time.monotonic() - began)
            progress(f"{what}, {how_far(done_bytes, num_bytes, rate)}")

    thread = threading.Thread(target=report, name="transfer progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def how_far(done_bytes: int, num_bytes: int, bytes_per_second: float) -> str:
    """As `3.2 of 29.5 GB, 61 MB/s, 7 min left`; without an end in sight while nothing moves."""
    text = f"{done_bytes / 1e9:.1f} of {gigabytes(num_bytes)}"
    if bytes_per_second < 1:
        return text
    left_seconds = (num_bytes - done_bytes) / bytes_per_second
    left = f"{left_seconds:.0f} s" if left_seconds < 90 else f"{left_seconds / 60:.0f} min"
    return f"{text}, {bytes_per_second / 1e6:.0f} MB/s, {left} left"


def gigabytes(num_bytes: int) -> str:
    """As `29.5 GB`."""
    return f"{num_bytes / 1e9:.1f} GB"


def bytes_on_disk(folder: Path) -> int:
    """What the files below the folder take, holes not counted; files may come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total
