"""Data: files are checked by what they hold, and come from a source or a mirror of it."""

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evaluator.data import DataFolder, SourceFile, rows_digest
from evaluator.errors import DataInvalid, DataMissing
from evaluator.fetch import fetch

ROWS = [{"task_id": "a/1", "prompt": "x"}, {"task_id": "a/2", "prompt": "ü"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
FILE = SourceFile(
    path="set/rows.jsonl.gz",
    url="https://example.org/set",
    download="https://example.org/data/rows.jsonl",
    sha256=hashlib.sha256(b"another packing of the same rows").hexdigest(),
    rows_sha256=rows_digest(ROWS),
)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A server of the folder `mirror` of the test's own folder."""
    (tmp_path / "mirror/example.org/data").mkdir(parents=True)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "mirror")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_file_comes_from_a_mirror_and_is_checked_by_its_rows(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "mirror/example.org/data/rows.jsonl").write_bytes(LINES)
    folder = DataFolder(tmp_path / "data")
    assert fetch(FILE, folder, mirror=mirror) == tmp_path / "data/set/rows.jsonl.gz"
    assert list(folder.rows(FILE)) == ROWS


def test_other_rows_are_refused_and_nothing_is_placed(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "mirror/example.org/data/rows.jsonl").write_bytes(LINES.replace(b"x", b"y"))
    with pytest.raises(DataInvalid, match="other rows than its source"):
        fetch(FILE, DataFolder(tmp_path / "data"), mirror=mirror)
    assert not (tmp_path / "data").exists()


def test_an_unreachable_source_says_what_to_place_where(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"set/rows\.jsonl\.gz by hand.*--mirror"):
        fetch(FILE, DataFolder(tmp_path / "data"), mirror=mirror)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("set/rows.jsonl", LINES),
        ("set/rows.jsonl.gz", gzip.compress(LINES)),
        ("set/rows.jsonl", json.dumps([{"prompt": "x", "task_id": "a/1"}, ROWS[1]]).encode()),
    ],
    ids=["plain", "packed", "a list, keys in another order"],
)
def test_the_same_rows_are_taken_in_any_form(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / name).write_bytes(content)
    assert list(DataFolder(tmp_path).rows(FILE)) == ROWS


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_bytes(LINES + b"{broken\n")
    with pytest.raises(DataInvalid, match=r"own\.jsonl, line 3: "):
        list(DataFolder(tmp_path).rows(SourceFile(path="own.jsonl", url="here")))


def test_a_missing_file_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"codeloop eval fetch gets it.*example\.org/set.*--data"):
        list(DataFolder(tmp_path).rows(FILE))
