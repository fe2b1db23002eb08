"""What the commands of `codeloop eval` share: the data folder, the suites by name, the graders."""

import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.config import Settings
from evaluator.data import DataFolder
from evaluator.grading.bench import Bench, Rules
from evaluator.problem import ProgramTask, RepositoryTask, StdioTask, Task
from evaluator.suite import Suite
from evaluator.suites import SUITES, suite
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from sandbox.toolchain import located, toolchain


def data_folder(settings: Settings, given: Path | None, *, is_checked: bool = True) -> DataFolder:
    """The folder that an option names, else the settings'."""
    root = given if given is not None else Path(settings.evaluator.data).expanduser()
    return DataFolder(root, is_checked=is_checked)


def suite_named(name: str, *, source: str = "") -> Suite:
    """A suite of the table, or a private one: a name with a slash, or of a folder that is there.

    source: a folder that a manifest tells for a private suite's name. Raises UnknownSuite,
    DataMissing, DataInvalid.
    """
    # A run's folder may be called as a suite is: the table comes first.
    folder = next((f for f in (name, source) if f and Path(f).is_dir()), "")
    if "/" in name or (name not in SUITES and folder):
        from evaluator.private import load_private

        return load_private(Path(folder or name))
    return suite(name)


@contextmanager
def bench(settings: Settings, rules: str) -> Iterator[Bench]:
    """Graders under the rules, over a sandbox that ends with the body."""
    cache = Path(settings.evaluator.cache).expanduser()
    with Sandbox(_with_packages(settings.sandbox)) as sandbox:
        yield Bench(sandbox=sandbox, rules=Rules(rules), cache=cache)


def check_languages(tasks: Iterable[Task], settings: SandboxSettings) -> None:
    """Refuse tasks whose language is not installed here, before a model is asked for hours.

    Remote nodes have languages of their own. Raises ToolchainMissing, which tells how to get it.
    """
    if settings.isolation == "http":
        return
    kinds = (ProgramTask, StdioTask, RepositoryTask)
    for language in dict.fromkeys(task.language for task in tasks if isinstance(task, kinds)):
        located(toolchain(language))


def _with_packages(settings: SandboxSettings) -> SandboxSettings:
    """Programs may import what the contests' own judges have, such as numpy and sortedcontainers.

    They are this installation's, unless the settings name folders of their own.
    """
    if settings.python_path:
        return settings
    return settings.model_copy(update={"python_path": (sysconfig.get_paths()["purelib"],)})
