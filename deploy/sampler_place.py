"""Program: a server that samples for a run on other machines; ends with its starter, or on SIGTERM.

    python -m deploy.sampler_place SETTINGS.toml

Prints one line of JSON when it is ready: its port and a key of its own. Its database lies in a temporary
folder of this machine, as SQLite's locks do not hold over a network's file system.
"""

import json
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

from deploy.errors import LaunchError
from deploy.launch import launch


def main(settings: Path) -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    home = Path(tempfile.mkdtemp(prefix="codeloop-sampler-"))
    try:
        with launch(
            home, settings=settings.read_text(), options=["--host", "0.0.0.0"], start_seconds=1800
        ) as server:
            port = int(server.base_url.rpartition(":")[2])
            print(json.dumps({"port": port, "key": server.key}), flush=True)
            ended = threading.Event()
            threading.Thread(target=_until_end_of_input, args=(ended,), daemon=True).start()
            while not ended.wait(1.0):
                if server.process.poll() is not None:
                    sys.exit(f"the server ended; its log: {server.log_path.read_text()[-3000:]}")
    except LaunchError as error:
        sys.exit(f"codeloop: {error}")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _until_end_of_input(ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    ended.set()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
