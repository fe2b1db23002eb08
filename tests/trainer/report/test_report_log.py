"""Logs as they come: cut, broken, resumed; and what in a curve is not learning."""

import math
import pathlib
import random
from collections.abc import Sequence
from typing import Any

import pytest

from trainer.curves import Break, read_run, smoothed
from trainer.errors import LogInvalid
from trainer.prompt_mix import breaks_of

Row = dict[str, Any]


def mix(number: int, shares: Sequence[float], seed: int = 0) -> Row:
    """Sources of 32 prompts of 8 samples, drawn by their shares."""
    dice = random.Random(f"{seed}/{number}")
    drawn = dice.choices(range(len(shares)), shares, k=32)
    return {f"s{i}": [8 * drawn.count(i), 0] for i in range(len(shares)) if i in drawn}


def test_a_log_that_was_cut_is_read_to_its_last_whole_row(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    rows = made_log.whole_run(10)
    whole = read_run(made_log.write(tmp_path / "whole", rows))
    assert (len(whole.iterations), len(whole.evaluations)) == (10, 2)
    assert whole.end is not None
    cut = read_run(made_log.write(tmp_path / "cut", rows[:-1], tail='{"type": "end", "iter'))
    assert cut.iterations == whole.iterations
    assert cut.end is None


def test_a_run_that_went_on_has_not_ended(made_log: Any, tmp_path: pathlib.Path) -> None:
    rows = [*made_log.whole_run(10), made_log.session(resumed_from=10), made_log.iteration(11)]
    log = read_run(made_log.write(tmp_path, rows))
    assert log.end is None
    assert [one.is_new_mix for one in breaks_of(log)] == [False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "holds its log"),
        ("", "no session row"),
        ('{"type": "session"}\nnonsense\n', "log.jsonl:2 is not JSON"),
        ('{"type": "session"}\n[1]\n', "log.jsonl:2 is no object with a type"),
    ],
)
def test_what_is_no_run_is_refused_with_its_place(
    text: str | None, told: str, tmp_path: pathlib.Path
) -> None:
    if text is not None:
        (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(LogInvalid, match=told):
        read_run(tmp_path)


def test_no_mean_reaches_over_a_change_of_prompts() -> None:
    points = [(i, 0.0 if i < 6 else 1.0) for i in range(1, 12)]
    breaks = [
        Break(iteration=6, text="other prompts"),
        Break(iteration=3, text="", is_new_mix=False),
    ]
    lines = smoothed(points, breaks)
    assert [line[0][0] for line in lines] == [3, 8]
    assert {value for _, value in lines[0]} == {0.0}
    assert {value for _, value in lines[1]} == {1.0}
    assert 0 < smoothed(points, [])[0][4][1] < 1


def test_unknown_values_are_left_out_of_means() -> None:
    line = smoothed([(1, 1.0), (2, math.nan), (3, 3.0), (4, 5.0)], [])
    assert line == [[(4, 3.0)]]


def test_a_stage_is_named(made_log: Any, tmp_path: pathlib.Path) -> None:
    rows = [made_log.session(), made_log.stage(0, 1), made_log.iteration(1)]
    rows += [made_log.stage(1, 2, max_new_tokens=32768), made_log.iteration(2)]
    found = breaks_of(read_run(made_log.write(tmp_path, rows)))
    assert [(one.iteration, one.text) for one in found] == [
        (2, "stage 1: 32,768 tokens, 24 prompts")
    ]


def test_a_change_of_sources_is_found_where_it_is(made_log: Any, tmp_path: pathlib.Path) -> None:
    rows = [made_log.session()]
    for number in range(1, 61):
        shares = (0.5, 0.5, 0) if number <= 20 else (0.1, 0.5, 0.4)
        rows.append(
            made_log.iteration(number, prompts=32, samples=256, sources=mix(number, shares))
        )
    found = breaks_of(read_run(made_log.write(tmp_path, rows)))
    assert [one.iteration for one in found] == [21]
    assert "s2" in found[0].text


def test_sources_that_only_scatter_are_no_change(made_log: Any, tmp_path: pathlib.Path) -> None:
    for seed in range(10):
        rows = [made_log.session()] + [
            made_log.iteration(n, prompts=32, samples=256, sources=mix(n, (0.6, 0.3, 0.1), seed))
            for n in range(1, 81)
        ]
        assert breaks_of(read_run(made_log.write(tmp_path / str(seed), rows))) == ()


def test_the_second_pass_over_the_problems_is_a_change_and_later_ones_are_not(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    rows = [made_log.session()] + [made_log.iteration(n, epoch=(n - 1) // 10) for n in range(1, 41)]
    found = breaks_of(read_run(made_log.write(tmp_path, rows)))
    assert [one.iteration for one in found] == [11]
    assert found[0].text.startswith("second pass")


def test_going_on_with_another_recipe_is_a_change(made_log: Any, tmp_path: pathlib.Path) -> None:
    rows = [made_log.session(), made_log.iteration(1)]
    rows += [made_log.session(resumed_from=1, recipe_digest="other"), made_log.iteration(2)]
    found = breaks_of(read_run(made_log.write(tmp_path, rows)))
    assert [(one.iteration, one.is_new_mix, one.text) for one in found] == [
        (2, True, "resumed with another recipe")
    ]
