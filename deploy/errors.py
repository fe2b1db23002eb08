"""Everything the command line raises on purpose.

DeployError                    catch this one to catch them all
├── SettingsError              the settings file cannot be read, or says something it may not
└── ChatError                  the endpoint of `codeloop chat` cannot be had, or broke off
"""

from collections.abc import Sequence


class DeployError(Exception):
    """Base of every error that the command line raises on purpose."""


class SettingsError(DeployError):
    """The settings file cannot be read, or says something it may not.

    problems: one sentence each, in the order of the file's tables; the message is all of them.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class ChatError(DeployError):
    """The endpoint of `codeloop chat` cannot be had, or broke off in the middle."""
