"""Both shapes of the log."""

import json
import logging
import sys

from deploy.logs import HumanFormatter, JsonFormatter


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "server.app", "levelno": logging.WARNING, "levelname": "WARNING",
         "msg": "engine %s", "args": ("died",), "created": 0.0}
    )  # fmt: skip
    vars(made).update(fields)
    return made


def test_json_is_one_line_with_event_and_fields() -> None:
    line = JsonFormatter().format(record(model="a\nb", restarts=2))
    assert "\n" not in line
    assert json.loads(line) == {
        "ts": "1970-01-01T00:00:00.000+00:00",
        "level": "warning",
        "logger": "server.app",
        "event": "engine died",
        "model": "a\nb",
        "restarts": 2,
    }


def test_json_keeps_the_traceback_on_the_same_line() -> None:
    try:
        raise ValueError("seven")
    except ValueError:
        line = JsonFormatter().format(record(exc_info=sys.exc_info()))
    assert "\n" not in line
    assert "ValueError: seven" in json.loads(line)["exception"]


def test_human_line_ends_in_its_fields_and_is_plain_without_a_terminal() -> None:
    line = HumanFormatter(is_coloured=False).format(record(model="a"))
    assert line.endswith("warning server.app  engine died  model=a")
    assert "\x1b" not in line
