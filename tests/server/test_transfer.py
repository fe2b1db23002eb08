"""Progress says how much is there and when the rest will be."""

import threading
from pathlib import Path

from server.transfer import how_far, told


def test_what_is_left_is_told_by_size_speed_and_time() -> None:
    assert how_far(9_500_000_000, 29_500_000_000, 50e6) == "9.5 of 29.5 GB, 50 MB/s, 7 min left"
    assert how_far(29_000_000_000, 29_500_000_000, 50e6) == "29.0 of 29.5 GB, 50 MB/s, 10 s left"


def test_no_end_is_promised_while_nothing_moves() -> None:
    assert how_far(0, 1_000_000_000, 0.0) == "0.0 of 1.0 GB"


def test_whoever_writes_need_not_know_that_it_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    has_reported = threading.Event()

    def progress(text: str) -> None:
        said.append(text)
        if text.startswith("copying, 0.1 of 0.2 GB"):
            has_reported.set()

    (tmp_path / "half").write_bytes(bytes(100_000_000))
    with told("copying", tmp_path, 200_000_000, progress, report_seconds=0.01):
        assert has_reported.wait(30)
    assert said[0] == "copying, 0.2 GB"
