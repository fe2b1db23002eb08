"""A thread of one's own for blocking calls, so that the event loop goes on and a stuck call can be left."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")
_LEAVE_SECONDS = 2.0


class OwnThread:
    """Runs calls in turn. A daemon: a call that never ends does not keep the process from ending."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The function's result, or what it raised. Who stops waiting leaves the call running."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Result] = loop.create_future()

        def tell(value: Result | None, error: BaseException | None) -> None:
            if result.done():
                return
            if error is None:
                result.set_result(value)  # type: ignore[arg-type]
            else:
                result.set_exception(error)

        def work() -> None:
            value, error = None, None
            try:
                value = function(*arguments)
            except BaseException as caught:  # noqa: BLE001 - raised again where it is awaited
                error = caught
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, value, error)

        self._calls.put(work)
        return await result

    def close(self) -> None:
        """Take no more calls; what still runs after a moment is left to itself.

        A thread that is met inside a library when the interpreter ends may take the process down.
        """
        self._calls.put(None)
        self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        while (work := self._calls.get()) is not None:
            work()
