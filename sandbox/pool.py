"""A fixed number of workers: who asks gets one that is free, or waits; a broken one is replaced."""

import logging
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.errors import RunCancelled
from sandbox.isolation.isolation import Isolation, Worker

log = logging.getLogger(__name__)


CLOSE_SECONDS = 20.0
_LOOK_SECONDS = 0.05


class Ticket:
    """One run's place in the queue, and the way to take the run back from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """End the run, whether it waits or runs."""
        with self._lock:
            self._is_cancelled = True
            if self._worker is not None:
                self._worker.cancel()

    def hold(self, worker: Worker | None) -> None:
        """The run is on this worker now; None when it has ended. Raises RunCancelled."""
        with self._lock:
            self._worker = worker
            if worker is not None and self._is_cancelled:
                self._worker = None
                raise RunCancelled("the run was cancelled while it waited")


class Pool:
    """Workers of one isolation. The first is opened at once, the others when they are needed."""

    def __init__(self, isolation: Isolation, num_workers: int) -> None:
        """Raises IsolationUnavailable."""
        self._isolation = isolation
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._is_closed = False
        self._num_workers = num_workers
        # First in, first out: the one that has rested longest has its next fork ready.
        self._idle: queue.Queue[Worker | None] = queue.Queue()
        self._idle.put(self._open())
        for _ in range(num_workers - 1):
            self._idle.put(None)

    @contextmanager
    def worker(self, ticket: Ticket) -> Iterator[Worker]:
        """A worker for one run. Raises IsolationUnavailable when none can be opened any more."""
        worker = self._idle.get()
        try:
            if self._is_closed:
                raise RunCancelled("the sandbox was closed")
            if worker is None:
                worker = self._open()
            ticket.hold(worker)
            try:
                yield worker
            finally:
                ticket.hold(None)
                if worker.is_broken:
                    self._discard(worker)
                    worker = None
        finally:
            self._idle.put(worker)

    def _open(self) -> Worker:
        """A new worker. Raises RunCancelled when the pool has been closed meanwhile."""
        worker = self._isolation.open_worker()
        with self._lock:
            if not self._is_closed:
                self._workers.append(worker)
                return worker
        worker.close()
        raise RunCancelled("the sandbox was closed")

    def _discard(self, worker: Worker) -> None:
        log.warning("a worker is broken and will be replaced")
        with self._lock:
            if worker not in self._workers:  # closed with the pool
                return
            self._workers.remove(worker)
        worker.close()

    def close(self) -> None:
        """End every run, then every worker. Who waits for a worker gets RunCancelled."""
        with self._lock:
            self._is_closed = True
        deadline = time.monotonic() + CLOSE_SECONDS
        num_idle = 0
        while num_idle < self._num_workers and time.monotonic() < deadline:
            try:
                self._idle.get(timeout=_LOOK_SECONDS)
                num_idle += 1
            except queue.Empty:
                # Again and again: a run may have begun between two looks.
                for worker in self._workers:
                    worker.cancel()
        with self._lock:
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.close()
        for _ in range(num_idle):
            self._idle.put(None)
