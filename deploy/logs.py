"""Logging, set up once by the command line and used everywhere through `logging.getLogger`.

The message of a record is its event; `extra={...}` carries its fields. Both shapes go to stderr,
so that stdout belongs to what a command prints.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deploy.settings import LogFormat, LogLevel

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_QUIET_LIBRARIES = (
    "alembic",
    "asyncio",
    "filelock",
    "httpcore",
    "httpx",
    "huggingface_hub",
    "uvicorn",
)
"""Libraries whose `info` is about themselves; they speak from `warning` on."""


def set_up_logging(*, level: LogLevel, shape: LogFormat) -> None:
    """Send every record of at least `level` to stderr in the given shape, and nowhere else."""
    handler = logging.StreamHandler(sys.stderr)
    if shape == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(HumanFormatter(is_coloured=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(root.level, logging.WARNING))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, logger, event, then the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": _timestamp(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """`12:00:00 info    server.app  event  key=value`, coloured by level on a terminal."""

    _COLOURS: Mapping[int, str] = {
        logging.DEBUG: "\x1b[2m",
        logging.WARNING: "\x1b[33m",
        logging.ERROR: "\x1b[31m",
        logging.CRITICAL: "\x1b[31;1m",
    }

    def __init__(self, *, is_coloured: bool) -> None:
        super().__init__()
        self._is_coloured = is_coloured

    def format(self, record: logging.LogRecord) -> str:
        details = "".join(f"  {key}={value}" for key, value in fields(record).items())
        clock = _timestamp(record).astimezone().strftime("%H:%M:%S")
        line = f"{clock} {record.levelname.lower():<8}{record.name}  {record.getMessage()}{details}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        colour = self._COLOURS.get(record.levelno) if self._is_coloured else None
        return f"{colour}{line}\x1b[0m" if colour else line


def fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """What the caller passed as `extra`."""
    hidden = _STANDARD_FIELDS | {"color_message"}  # uvicorn's own colouring
    return {key: value for key, value in vars(record).items() if key not in hidden}


def _timestamp(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
