"""Everything the sandbox raises on purpose. What a program does is never in here: that is an Outcome.

SandboxError                  catch this one to catch them all
├── InvalidProgram            a program or limits that cannot be run as asked; the caller's fault
├── UnknownLanguage           no toolchain of that name; names those there are
├── ToolchainMissing          the language is known, its compiler or interpreter is not installed
├── IsolationUnavailable      this host cannot isolate as asked; says what it lacks and how to give it
├── SandboxUnavailable        our worker or node failed while it ran a program; the program has no verdict
├── RunCancelled             the caller took the run back
└── SandboxBusy               the queue is full; carries when to try again
"""


class SandboxError(Exception):
    """Base of every error that the sandbox raises on purpose."""


class InvalidProgram(SandboxError, ValueError):
    """A program or limits that cannot be run as asked."""


class UnknownLanguage(SandboxError):
    """No toolchain of that name."""


class ToolchainMissing(SandboxError):
    """The compiler or interpreter of a known language is not installed here."""


class IsolationUnavailable(SandboxError):
    """This host cannot isolate as asked."""


class SandboxUnavailable(SandboxError):
    """Our worker or node failed; the program that it ran has no verdict and may be run again."""


class RunCancelled(SandboxError):
    """The caller took the run back."""


class SandboxBusy(SandboxError):
    """The queue is full.

    retry_after_seconds: when a caller may reasonably try again.
    """

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
