"""How a Python program ends: as the interpreter itself would end it, without taking it apart."""

import atexit
import os
import sys
import threading
import traceback
import types
from typing import Any

_UNFLUSHED = 120


class Ending:
    """Called with what the program raised, or None; does not return."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __call__(self, error: "BaseException | None") -> None:
        os._exit(self.end(error))

    def end(self, error: "BaseException | None") -> int:
        """Report, wait for threads, run what was left for the end, flush. Returns the exit code."""
        code = self._report(error) if error is not None else 0
        error = None
        try:
            if threading.active_count() > 1:
                threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            self._forget_globals()
        except BaseException:  # noqa: BLE001  # the program's own hooks, at its very end
            traceback.print_exc()
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None and not stream.closed:
                    stream.flush()
            except BaseException:  # noqa: BLE001  # replaced or full: the interpreter says 120 too
                code = code or _UNFLUSHED
        return code & 0xFF

    def _report(self, error: BaseException) -> int:
        if isinstance(error, SystemExit):
            return self._exit_code(error.code)
        # The first frame is ours; a syntax error has no other.
        trace = error.__traceback__
        frames = None if trace is None or isinstance(error, SyntaxError) else trace.tb_next
        try:
            sys.excepthook(type(error), error.with_traceback(frames), frames)
        except BaseException:  # noqa: BLE001  # a hook of the program
            traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            return 130
        return 1

    def _exit_code(self, asked: Any) -> int:
        if asked is None:
            return 0
        if isinstance(asked, int):
            # As the interpreter: what does not fit into a C long is -1.
            return asked if -(1 << 63) <= asked < 1 << 63 else -1
        try:
            sys.stderr.write(f"{asked}\n")
        except BaseException:  # noqa: BLE001  # its __str__ or its stderr
            traceback.print_exc()
        return 1

    def _forget_globals(self) -> None:
        """Set the names to None in the interpreter's order, so that every __del__ is called."""
        names = self._module.__dict__
        is_private = {name: name.startswith("_") and name[1:2] != "_" for name in names}
        for private in (True, False):
            for name in list(names):
                if is_private.get(name) is private and name != "__builtins__":
                    names[name] = None
