"""What an operator may set about the installation: the table `[deploy]` of the settings file.

Every field's docstring is also its text in `codeloop config example` and in the manual.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["human", "json"]


class DeploySettings(BaseModel):
    """Where codeloop keeps its files, and how it logs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    home: Annotated[Path, AfterValidator(Path.expanduser)] = Path.home() / ".local/share/codeloop"
    """Folder for models, keys and logs; made when it is not there."""
    log_level: LogLevel = "info"
    """Least severe message to log; prompts and code appear at `debug` only."""
    log_format: LogFormat = "human"
    """`human` for a terminal; `json` for one JSON object a line."""
