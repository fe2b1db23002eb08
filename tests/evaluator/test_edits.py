"""Answers in the many shapes that models give them, and what they may not change."""

import pytest

from evaluator.edits import EditRefused, parse_edits, render_edits

TWO = ("src/clock.py", "src/zone.py")


@pytest.mark.parametrize(
    "line",
    [
        "src/clock.py",
        "**src/clock.py**",
        "`src/clock.py`:",
        "### src/clock.py",
        "File: `./src/clock.py`",
    ],
)
def test_a_path_before_a_block_names_the_file(line: str) -> None:
    answer = f"I changed one thing.\n\n{line}\n\n```python\nx = 1\n```\nDone."
    assert parse_edits(answer, TWO) == {"src/clock.py": "x = 1\n"}


@pytest.mark.parametrize(
    "info", ["python src/clock.py", "python:src/clock.py", "py path=src/clock.py"]
)
def test_a_path_in_the_fence_names_the_file(info: str) -> None:
    assert parse_edits(f"```{info}\nx = 1\n```", TWO) == {"src/clock.py": "x = 1\n"}


def test_a_bare_name_means_the_only_file_of_that_name() -> None:
    assert parse_edits("zone.py\n```\ny = 2\n```", TWO) == {"src/zone.py": "y = 2\n"}


def test_the_last_block_of_a_path_counts() -> None:
    answer = "src/zone.py\n```\nold\n```\nsrc/zone.py\n```\nnew\n```"
    assert parse_edits(answer, TWO) == {"src/zone.py": "new\n"}


def test_a_lone_file_is_the_last_block_even_without_a_name() -> None:
    answer = "Input/Output:\n```\nclock 8\n```\nHere it is:\n```python\nx = 1\n```"
    assert parse_edits(answer, ("clock.py",)) == {"clock.py": "x = 1\n"}


def test_nameless_blocks_change_nothing_where_several_files_may_change() -> None:
    assert parse_edits("```python\nx = 1\n```", TWO) == {}


def test_an_answer_without_blocks_changes_nothing() -> None:
    assert parse_edits("I cannot do that.", ("clock.py",)) == {}


def test_a_block_that_is_never_closed_ends_with_the_answer() -> None:
    assert parse_edits("clock.py\n```python\nx = 1\n", ("clock.py",)) == {"clock.py": "x = 1\n"}


def test_a_file_without_a_suffix_is_known_by_being_editable() -> None:
    assert parse_edits("Makefile\n```make\nall:\n```", ("Makefile",)) == {"Makefile": "all:\n"}


@pytest.mark.parametrize(
    "path", ["clock_test.py", "conftest.py", "../clock.py", "tests/clock.py", "sitecustomize.py"]
)
def test_a_file_that_is_not_editable_is_refused_by_name(path: str) -> None:
    answer = f"{path}\n```python\nx = 1\n```\nsrc/clock.py\n```\nx = 1\n```"
    with pytest.raises(EditRefused, match=path.rpartition("/")[2]):
        parse_edits(answer, TWO)


def test_windows_line_ends_are_read() -> None:
    answer = "clock.py\r\n```\r\nx = 1\r\n```\r\n"
    assert parse_edits(answer, ("clock.py",)) == {"clock.py": "x = 1\n"}


def test_what_is_rendered_is_read_back_fences_inside_it_included() -> None:
    files = {"src/clock.py": "x = 1\n", "src/zone.py": '"""\n```\nexample\n```\n"""\n'}
    assert parse_edits(render_edits(files), TWO) == files
