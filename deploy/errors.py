"""Everything the command line raises on purpose.

DeployError                    catch this one to catch them all
├── SettingsError              the settings file cannot be read, or says something it may not
├── LaunchError                a server in a child process did not become ready
├── PortUnusable               the address to listen on is taken or not ours
├── ChatError                  the endpoint of `codeloop chat` cannot be had, or broke off
├── PromotionError             the server did not promote or roll back; its own words
└── LoopError                  `codeloop loop`:
    ├── LoopInvalid            its file cannot be read, or does not fit the server's settings
    ├── LoopRefused            another process runs it
    └── LoopFailed             a part of it fails again and again, or its disk does
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


class LaunchError(DeployError):
    """A server in a child process did not become ready."""


class PortUnusable(DeployError):
    """The address to listen on is taken, or not one of this machine's."""


class ChatError(DeployError):
    """The endpoint of `codeloop chat` cannot be had, or broke off in the middle."""


class LoopError(DeployError):
    """Base of what `codeloop loop` raises."""


class LoopInvalid(LoopError):
    """A loop's file cannot be read, or does not fit the settings of the server."""


class LoopRefused(LoopError):
    """Another process runs the loop of that folder."""


class LoopFailed(LoopError):
    """A part of the loop fails again and again, or its disk does."""


class PromotionError(DeployError):
    """The server did not promote or roll back, or is not there; the message has its words."""
