"""What the commands of `codeloop eval` share: the data folder, the suites by name, the graders."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.config import Settings
from evaluator.data import DataFolder
from evaluator.grading.bench import Bench, Rules
from evaluator.suite import Suite
from evaluator.suites import suite
from sandbox.sandbox import Sandbox


def data_folder(settings: Settings, given: Path | None, *, is_checked: bool = True) -> DataFolder:
    """The folder that an option names, else the settings'."""
    root = given if given is not None else Path(settings.evaluator.data).expanduser()
    return DataFolder(root, is_checked=is_checked)


def suite_named(name: str) -> Suite:
    """A suite of the table. Raises UnknownSuite."""
    return suite(name)


@contextmanager
def bench(settings: Settings, rules: str) -> Iterator[Bench]:
    """Graders under the rules, over a sandbox that ends with the body."""
    cache = Path(settings.evaluator.cache).expanduser()
    with Sandbox(settings.sandbox) as sandbox:
        yield Bench(sandbox=sandbox, rules=Rules(rules), cache=cache)
