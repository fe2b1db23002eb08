"""Programs on the machines of a Ray cluster: placed, started, watched, and ended with whoever placed them.

Ray only chooses machines and keeps what they have to give; the programs speak to each other themselves.
"""

import contextlib
import importlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.errors import PlacementFailed

PLACING_SECONDS = 60.0
_CALL_SECONDS = 120.0
_STOP_SECONDS = 60.0
_LOOK_SECONDS = 10.0
_TAIL_BYTES = 3000


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a program needs of the machine that it is put on."""

    name: str
    num_cpus: float
    num_gpus: float = 0


class Keeper:
    """Starts one program on its machine and looks after it: an actor, one call at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path()

    def address(self) -> str:
        """Of this machine, as the others reach it."""
        return str(_ray().util.get_node_ip_address())

    def machine(self) -> str:
        """Ray's name of it."""
        return str(_ray().get_runtime_context().get_node_id())

    def free_port(self) -> int:
        """Free now."""
        with socket.create_server(("", 0)) as listener:
            return int(listener.getsockname()[1])

    def pid(self) -> int:
        """Of the actor, so that a program can be tied to it."""
        return os.getpid()

    def start(
        self, words: Sequence[str], environment: Mapping[str, str], *, here: Path, log: Path
    ) -> None:
        """Run `python words…` in the folder `here`. log: takes what it says on stderr."""
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                cwd=here,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def line(self) -> str:
        """The next line that it prints; empty when it has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode()

    def exit_code(self) -> int | None:
        """None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def tail(self) -> str:
        """The end of its log."""
        return self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL a minute later."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Placed:
    """A keeper from afar. Every call raises PlacementFailed when its machine is gone."""

    def __init__(self, place: Place, actor: Any) -> None:
        self.name = place.name
        self._actor = actor

    def call(
        self, method: str, *arguments: Any, seconds: float = _CALL_SECONDS, **named: Any
    ) -> Any:
        """A method of the keeper."""
        ray = _ray()
        try:
            return ray.get(
                getattr(self._actor, method).remote(*arguments, **named), timeout=seconds
            )
        except ray.exceptions.GetTimeoutError as error:
            raise PlacementFailed(
                f"{self.name}: {method} was not answered in {seconds:g} s; look at its machine"
            ) from error
        except ray.exceptions.RayActorError as error:
            raise PlacementFailed(
                f"{self.name}: its machine is gone ({error}); go on with --resume when it is back"
            ) from error


@contextmanager
def placed(address: str, places: Sequence[Place]) -> Iterator[list[Placed]]:
    """Keepers on as many machines as there are, for the body of a `with`; their programs end with it.

    address: of the cluster, "auto" for the one that this machine is of. Raises PlacementFailed.
    """
    ray = _ray()
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    try:
        _look_for(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, ValueError) as error:
        raise PlacementFailed(
            f"there is no Ray cluster at {address!r} ({error}): start one with `ray start --head`, or"
            " name its address"
        ) from error
    try:
        needs = [{"CPU": one.num_cpus, "GPU": one.num_gpus} for one in places]
        group = placement_group(
            [{kind: count for kind, count in need.items() if count} for need in needs],
            strategy="SPREAD",
        )
        if not group.wait(PLACING_SECONDS):
            raise PlacementFailed(
                f"the cluster has {_in_words(ray.available_resources())} free and the run needs"
                f" {_in_words({kind: sum(need[kind] for need in needs) for kind in ('CPU', 'GPU')})}:"
                " ask for fewer, wait, or add machines"
            )
        keeper = ray.remote(Keeper)
        actors = [
            keeper.options(
                num_cpus=one.num_cpus,
                num_gpus=one.num_gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(
                    group, placement_group_bundle_index=number
                ),
            ).remote()
            for number, one in enumerate(places)
        ]
        found = [Placed(place, actor) for place, actor in zip(places, actors, strict=True)]
        try:
            yield found
        finally:
            ending = [actor.stop.remote() for actor in actors]
            ray.wait(ending, num_returns=len(ending), timeout=2 * _STOP_SECONDS)
            remove_placement_group(group)
    finally:
        ray.shutdown()


def _look_for(address: str) -> None:
    """Ray itself tries for minutes to reach an address where nobody is. Raises OSError."""
    host, separator, port = address.rpartition(":")
    if separator and port.isdigit() and "://" not in address:
        socket.create_connection((host, int(port)), _LOOK_SECONDS).close()


def _in_words(resources: Mapping[str, float]) -> str:
    counted = [(kind, resources.get(kind, 0)) for kind in ("CPU", "GPU")]
    return " and ".join(f"{count:g} {kind}s" for kind, count in counted if count) or "nothing"


def _ray() -> Any:
    """The library, which only `codeloop train cluster` needs. Raises PlacementFailed."""
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise PlacementFailed(
            "Ray is not installed: install codeloop with the extra `cluster`, or use torchrun and"
            " servers started by hand"
        ) from error
