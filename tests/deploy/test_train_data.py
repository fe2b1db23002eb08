"""`codeloop train data`: makes a data set, shows it, and says by its exit code what came of it."""

import json
import pathlib
from typing import Any


def test_built_data_set_is_shown_and_its_problems_as_a_model_sees_them(
    codeloop: Any, tmp_path: pathlib.Path
) -> None:
    task = {"inputs": ["1\n", "2\n"], "outputs": ["1\n", "2\n"]}
    row = {"input_output": json.dumps(task), "solutions": '["print(input())"]'}
    rows = [
        row | {"question": text} for text in ("Echo a line.", "Say what you read.", "Repeat it!")
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    options = ("--out", "set", "--least-tests", "2", "--data", "none", "--json")
    built = codeloop("train", "data", "build", "taco:rows.json", *options)
    assert built.returncode == 0, built.stderr
    manifest = json.loads(built.stdout)
    assert manifest["counts"] == {"read": 3, "kept": 3, "dropped": 0}
    shown = codeloop("train", "data", "show", "set").stdout
    assert "3 of 3 problems" in shown
    assert "name their folder with --data" in shown
    one = codeloop("train", "data", "show", "set", "taco/1").stdout
    assert "── user" in one
    assert "Say what you read." in one


def test_build_that_leaves_everything_out_says_so_by_its_exit_code(
    codeloop: Any, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "rows.json").write_text('[{"question": "?"}]')
    done = codeloop("train", "data", "build", "taco:rows.json", "--out", "set", "--data", "none")
    assert done.returncode == 2
    assert "unsupported" in done.stdout
    assert codeloop("train", "data", "show", "set").returncode == 1


def test_source_that_is_none_is_refused_with_those_there_are(codeloop: Any) -> None:
    done = codeloop("train", "data", "build", "nothing", "--out", "set", "--data", "none")
    assert done.returncode == 1
    assert "short-functions" in done.stderr
