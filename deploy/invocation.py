"""What one call of `codeloop` was asked to use: the settings in force and where they came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from deploy.config import Settings


@dataclass(frozen=True, kw_only=True)
class GlobalOptions:
    """The options before the command, as given; None means that the settings decide."""

    config: Path | None = None
    home: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] | None = None
    log_format: Literal["human", "json"] | None = None
    debug: bool = False


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """config_path: the file that was read, or None when every setting has its default."""

    settings: "Settings"
    config_path: Path | None
    debug: bool


def global_options(ctx: typer.Context) -> GlobalOptions:
    """The options before the command, for commands that work without valid settings."""
    found = ctx.find_root().obj
    assert isinstance(found, GlobalOptions)
    return found


def invocation(ctx: typer.Context) -> Invocation:
    """Load the settings and set up logging, once, for the command of `ctx`.

    Raises SettingsError. Pydantic is imported here and not above, so that help stays fast.
    """
    from deploy.config import find_config, load_settings
    from deploy.logs import set_up_logging

    options = global_options(ctx)
    config_path = find_config(options.config)
    settings = load_settings(
        config_path,
        home=options.home,
        log_level=options.log_level,
        log_format=options.log_format,
    )
    set_up_logging(level=settings.deploy.log_level, shape=settings.deploy.log_format)
    return Invocation(settings=settings, config_path=config_path, debug=options.debug)
