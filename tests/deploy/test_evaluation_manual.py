"""The manual of evaluations: what it shows is what the command line and the suites have."""

import pathlib
import re
import shlex
import tomllib

import pytest
from typer.testing import CliRunner

import deploy.eval_commands
from deploy.eval_commands import COMMANDS
from evaluator.gate_file import parse_gate
from evaluator.presets import PRESETS
from evaluator.suites import SUITES

DOCS = pathlib.Path(__file__).parents[2] / "docs"
MANUAL = (DOCS / "evaluation.md").read_text(encoding="utf-8")
LIST = (DOCS / "evaluation-suites.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def eval_lines() -> list[list[str]]:
    """The words after `codeloop eval` of every line that the manual shows to be typed."""
    whole = "".join(blocks(MANUAL, "sh"))
    return [
        shlex.split(line.partition("codeloop eval ")[2].partition(";")[0], comments=True)
        for line in whole.splitlines()
        if "codeloop eval " in line.partition("#")[0] and not line.startswith("codeloop:")
    ]


@pytest.fixture(scope="module")
def help_of() -> dict[str, str]:
    """Command → its help, wide enough that nothing is cut."""
    runner = CliRunner()
    return {
        name: runner.invoke(
            deploy.eval_commands.app, [name, "--help"], env={"COLUMNS": "200"}
        ).stdout
        for name in COMMANDS
    }


@pytest.mark.parametrize("words", eval_lines(), ids=" ".join)
def test_every_line_of_the_manual_names_a_command_and_options_that_there_are(
    words: list[str], help_of: dict[str, str]
) -> None:
    first = words[0]
    if first not in COMMANDS:
        assert first.startswith("./") or first.partition("@")[0] in SUITES
    shown = help_of[first if first in COMMANDS else "run"]
    for option in (word for word in words if word.startswith("-")):
        assert option in shown


def test_the_gate_of_the_manual_is_one() -> None:
    (gate,) = (block for block in blocks(MANUAL, "toml") if "[suites" in block)
    assert parse_gate(tomllib.loads(gate)).needs_live


def test_the_presets_of_the_manual_are_the_presets() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)`(?: \(default\))? \| ([\d.]+) / ([\d.]+) \| (\d+) \|", MANUAL, re.M
    )
    told = {name: (float(t), float(p), int(tokens)) for name, t, p, tokens in rows}
    assert told == {n: (p.temperature, p.top_p, p.max_tokens) for n, p in PRESETS.items()}


def test_the_list_of_suites_is_whole_and_in_order() -> None:
    table = LIST.partition("## What languages need")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == list(SUITES)
