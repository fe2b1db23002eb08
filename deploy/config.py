"""The settings file: found, read, checked, and handed on as one frozen value.

One TOML file, one table a part: `[deploy]`, `[server]`, `[sandbox]`, `[evaluator]`. Nothing else reads it, and no
part reads the environment.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.errors import SettingsError
from deploy.settings import DeploySettings, LogFormat, LogLevel
from deploy.settings_problem import problem
from evaluator.settings import EvaluatorSettings
from sandbox.settings import SandboxSettings
from server.settings import ServerSettings

USER_CONFIG = Path("~/.config/codeloop/codeloop.toml")


class Settings(BaseModel):
    """Everything that an operator may set, with a default for all of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    deploy: DeploySettings = DeploySettings()
    """The installation: files and logs."""
    server: ServerSettings = ServerSettings()
    """The gateway, its lanes and its models."""
    sandbox: SandboxSettings = SandboxSettings()
    """Where untrusted programs run, what holds them, and this machine as a node."""
    evaluator: EvaluatorSettings = EvaluatorSettings()
    """Benchmark suites: their data, their runs, their caches."""


def find_config(asked: Path | None) -> Path | None:
    """The file to read: the one asked for, ./codeloop.toml, the user's own, or None for defaults."""
    if asked is not None:
        return asked
    for candidate in (Path("codeloop.toml"), USER_CONFIG.expanduser()):
        if candidate.is_file():
            return candidate
    return None


def load_settings(
    path: Path | None,
    *,
    home: Path | None = None,
    log_level: LogLevel | None = None,
    log_format: LogFormat | None = None,
) -> Settings:
    """The settings of a file, with the given values in place of those of its table `[deploy]`.

    path: None means that every setting has its default. Raises SettingsError with every problem
    of the file, not only the first.
    """
    tables = {} if path is None else read_tables(path)
    asked = {
        "home": None if home is None else str(home),
        "log_level": log_level,
        "log_format": log_format,
    }
    given = {key: value for key, value in asked.items() if value is not None}
    deploy = tables.get("deploy", {})
    if given and isinstance(deploy, dict):
        tables = {**tables, "deploy": {**deploy, **given}}
    try:
        # By way of JSON, where strict still lets an array be a tuple and a string be a path,
        # but neither "8000" be a number nor true be one.
        return Settings.model_validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as error:
        source = "the options" if path is None else str(path)
        raise SettingsError(
            *(problem(source, fault, Settings) for fault in error.errors())
        ) from error


def read_tables(path: Path) -> Mapping[str, Any]:
    """The file as TOML tables, unchecked. Raises SettingsError when it is no readable TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{path} is not TOML: {error}; correct that line, `codeloop config example` shows"
            " the form"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path} has the byte {error.object[error.start]:#04x} at offset {error.start}: TOML is"
            " UTF-8; save the file in that encoding"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}): --config and CODELOOP_CONFIG must name a"
            " readable file; `codeloop config example > codeloop.toml` makes one"
        ) from error
