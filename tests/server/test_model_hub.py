"""The hub's own client against a hub on loopback: what is asked for, what stays when it breaks off."""

import hashlib
import http.server
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.model_manifest import NAME
from server.model_store import PARTIAL_PREFIX, ModelStore

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SIZE = 24 << 20
"""The client writes in pieces of 10 MB, so half of it is a piece."""


def weights() -> bytes:
    entry = {"dtype": "U8", "shape": [SIZE], "data_offsets": [0, SIZE]}
    header = json.dumps({"w": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(SIZE)


FILES = {
    "config.json": json.dumps(
        {"architectures": ["X"], "vocab_size": 8, "max_position_embeddings": 64}
    ).encode(),
    "tokenizer.json": json.dumps({"model": {"vocab": {"a": 0}}}).encode(),
    "model.safetensors": weights(),
    "pytorch_model.bin": b"\x80\x02pickle",
    "modeling_x.py": b"raise SystemExit",
    "onnx/config.json": b"{}",
}


class Hub(http.server.ThreadingHTTPServer):
    """The few routes that the client uses. It serves `owner/model`; `owner/closed` is gated."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Route)
        self.asked: list[str] = []
        self.stalls = False
        self.is_over = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A client that is killed in the middle of an answer is what is tested, and no news."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Route(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        if "owner/closed" in path:
            self.send(403, b"{}", error="GatedRepo")
        elif "owner/model" not in path:
            self.send(404, b"{}", error="RepoNotFound")
        elif "/resolve/" in path:
            self.file(path.partition(f"/resolve/{COMMIT}/")[2])
        elif "/tree/" in path:
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": _hash(content)}
                for name, content in FILES.items()
            ]
            self.send(200, json.dumps(entries).encode())
        else:
            siblings = [{"rfilename": name, "size": len(FILES[name])} for name in FILES]
            about = {"id": "owner/model", "sha": COMMIT, "siblings": siblings}
            self.send(200, json.dumps(about).encode())

    def file(self, name: str) -> None:
        content = FILES[name]
        if self.command == "GET":
            self.server.asked.append(name)
        is_stalled = self.server.stalls and self.command == "GET" and name == "model.safetensors"
        self.send(200, content, whole=content, is_stalled=is_stalled)

    def send(
        self,
        status: int,
        body: bytes,
        *,
        whole: bytes | None = None,
        error: str | None = None,
        is_stalled: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("X-Error-Code", error)
        if whole is not None:
            self.send_header("ETag", f'"{_hash(whole)}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "HEAD":
            return
        if is_stalled:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.server.is_over.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)


def _hash(content: bytes) -> str:
    """Of a file as git names it; of the weights as large-file storage does."""
    if len(content) >= SIZE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


def environment(tmp_path: Path, endpoint: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "CODELOOP_"))}
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    return {**kept, **own, "HF_HUB_DISABLE_XET": "1", "COLUMNS": "200", "NO_COLOR": "1"}


def command(tmp_path: Path, repository: str) -> list[str]:
    home = str(tmp_path / "home")
    return [sys.executable, "-m", "deploy", "--home", home, "models", "pull", repository]


def pull(
    tmp_path: Path, endpoint: str, repository: str = "owner/model"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(tmp_path, repository),
        env=environment(tmp_path, endpoint),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def stored(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "home" / "models")


def test_a_pull_takes_weights_and_tokenizer_and_never_pickle_or_code(
    hub: Hub, tmp_path: Path
) -> None:
    done = pull(tmp_path, hub.url)
    assert done.returncode == 0, done.stderr
    wanted = ["config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(hub.asked) == wanted
    (model,) = stored(tmp_path).list()
    assert model.source == "owner/model"
    assert sorted(path.name for path in model.path.rglob("*")) == sorted([*wanted, NAME])
    stored(tmp_path).verify(model.name)
    hub.asked.clear()
    assert pull(tmp_path, hub.url).returncode == 0
    assert hub.asked == []


def test_a_pull_that_is_killed_leaves_nothing_to_be_seen_and_the_next_keeps_whole_files(
    hub: Hub, tmp_path: Path
) -> None:
    hub.stalls = True
    partial = tmp_path / "home" / "models" / f"{PARTIAL_PREFIX}model"
    with subprocess.Popen(
        command(tmp_path, "owner/model"),
        env=environment(tmp_path, hub.url),
        stderr=subprocess.DEVNULL,
    ) as process:
        while not has_all_but_half_the_weights(partial):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.kill()
    assert stored(tmp_path).list() == []
    hub.stalls = False
    hub.asked.clear()
    (partial / "model-00001-of-00002.safetensors").write_bytes(b"of another source")
    done = pull(tmp_path, hub.url)
    assert done.returncode == 0, done.stderr
    assert hub.asked == ["model.safetensors"]
    model = stored(tmp_path).verify("model")
    assert not partial.exists()
    assert not list(model.path.glob("model-*"))


def has_all_but_half_the_weights(partial: Path) -> bool:
    small = all((partial / name).is_file() for name in ("config.json", "tokenizer.json"))
    return small and any(path.stat().st_size > 0 for path in partial.rglob("*.incomplete"))


def test_a_hub_that_is_down_is_replaced_by_the_cache_of_its_client(
    hub: Hub, tmp_path: Path
) -> None:
    download = "import huggingface_hub as h; h.snapshot_download('owner/model')"
    subprocess.run(
        [sys.executable, "-c", download],
        env=environment(tmp_path, hub.url),
        capture_output=True,
        timeout=200,
        check=True,
    )
    done = pull(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    (model,) = stored(tmp_path).list()
    assert not any(path.is_symlink() for path in model.path.iterdir())
    assert "pytorch_model.bin" not in {path.name for path in model.path.iterdir()}


@pytest.mark.parametrize(
    ("repository", "way_out"),
    [("owner/closed", "accept its terms"), ("owner/absent", "check the spelling")],
)
def test_a_repository_that_is_not_open_to_us_says_what_to_do(
    hub: Hub, tmp_path: Path, repository: str, way_out: str
) -> None:
    done = pull(tmp_path, hub.url, repository)
    assert done.returncode == 1
    assert repository in done.stderr
    assert way_out in done.stderr
    assert "Traceback" not in done.stderr
