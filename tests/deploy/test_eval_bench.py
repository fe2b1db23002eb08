"""What is known before a model is asked for hours."""

import pytest

from deploy.eval_bench import check_languages
from evaluator.problem import StdioTask
from sandbox.errors import ToolchainMissing
from sandbox.settings import SandboxSettings
from sandbox.toolchain import located, toolchains

TESTS = (("", ""),)


def test_a_language_that_is_not_installed_is_named_with_its_remedy() -> None:
    missing = []
    for chain in toolchains().values():
        try:
            located(chain)
        except ToolchainMissing:
            missing.append(chain.name)
    if not missing:
        pytest.skip("every language is installed here")
    tasks = [StdioTask(tests=TESTS), StdioTask(tests=TESTS, language=missing[0])]
    with pytest.raises(ToolchainMissing, match=f"language '{missing[0]}' needs .* not installed"):
        check_languages(tasks, SandboxSettings())
    check_languages(tasks[:1], SandboxSettings())
    check_languages(tasks, SandboxSettings(isolation="http", nodes=("http://127.0.0.1:9",)))
