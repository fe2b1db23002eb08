"""What a person should not miss is said, and nothing is said of a healthy run."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from trainer.alarms import alarms
from trainer.curves import read_run

Row = dict[str, Any]
Change = Callable[[int], Row]


def names(made_log: Any, folder: pathlib.Path, change: Change, num: int = 40) -> set[str]:
    """Alarms of a run of which each iteration's row is changed."""
    rows = [made_log.session(), made_log.probe()]
    rows += [made_log.iteration(n, progress=n / num, **change(n)) for n in range(1, num + 1)]
    return {one.name for one in alarms(read_run(made_log.write(folder, rows)))}


def test_a_healthy_run_raises_none(made_log: Any, tmp_path: pathlib.Path) -> None:
    assert alarms(read_run(made_log.write(tmp_path, made_log.whole_run(40)))) == ()


CASES: dict[str, Change] = {
    "mismatch": lambda n: {"learner": {"mismatch_kl": 3e-2}},
    "entropy": lambda n: {"learner": {"entropy": 0.1 * 1.03**n}},
    "reward hacking": lambda n: {"holdout_disagreement": 0.02 if n < 20 else 0.2},
    "dead groups": lambda n: {"groups_live": 2, "groups_dead": 22},
    "memory": lambda n: {"measured": {"resident_bytes": 4e9 + 3e8 * n}},
    "truncation": lambda n: {"truncated_share": 0.3},
    "infrastructure": lambda n: {"samples_uncounted": 5},
    "clipping": lambda n: {"learner": {"clip_high_share": 0.25}},
    "no step": lambda n: {"is_skipped": n == 7},
    "idle": lambda n: {"measured": {"learner_idle_seconds": 6.0}},
}


@pytest.mark.parametrize("name", CASES)
def test_each_alarm_is_raised_alone(name: str, made_log: Any, tmp_path: pathlib.Path) -> None:
    assert names(made_log, tmp_path, CASES[name]) == {name}


def test_tokens_of_the_same_version_are_held_to_a_closer_level(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    learner = {"mismatch_kl": 8e-3}
    stale = names(made_log, tmp_path / "stale", lambda n: {"learner": learner})
    fresh = names(
        made_log, tmp_path / "fresh", lambda n: {"learner": learner, "staleness": {"0": 3000}}
    )
    assert (stale, fresh) == (set(), {"mismatch"})


def test_a_rise_in_training_that_held_out_problems_do_not_share_is_told(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    rows = [row for row in made_log.whole_run(40) if row["type"] != "evaluation"]
    rows += [made_log.evaluation(0, 0.2), made_log.evaluation(40, 0.2)]
    found = {one.name for one in alarms(read_run(made_log.write(tmp_path, rows)))}
    assert found == {"no transfer"}


def test_waiting_is_no_alarm_where_nothing_is_pipelined(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    waiting = {"staleness": {"0": 3000}} | CASES["idle"](1)
    assert names(made_log, tmp_path, lambda n: waiting) == set()


def test_memory_of_before_a_resume_is_another_process(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    rows = [made_log.session()]
    for number in range(1, 61):
        if number == 31:
            rows.append(made_log.session(resumed_from=30))
        resident = 3e9 if number <= 30 else 6e9
        rows.append(made_log.iteration(number, measured={"resident_bytes": resident}))
    found = {one.name for one in alarms(read_run(made_log.write(tmp_path, rows)))}
    assert "memory" not in found


def test_every_alarm_says_what_to_do(made_log: Any, tmp_path: pathlib.Path) -> None:
    for name, change in CASES.items():
        rows = [made_log.session()] + [made_log.iteration(n, **change(n)) for n in range(1, 41)]
        for one in alarms(read_run(made_log.write(tmp_path / name, rows))):
            assert one.text.endswith(".")
            assert one.remedy.endswith(".")


def test_logs_too_short_for_a_trend_raise_no_error(made_log: Any, tmp_path: pathlib.Path) -> None:
    for num in range(4):
        rows = [made_log.session()] + [made_log.iteration(n) for n in range(1, num + 1)]
        assert alarms(read_run(made_log.write(tmp_path / str(num), rows))) == ()
    bare = [made_log.session(), {"type": "iteration", "iteration": 1}]
    assert alarms(read_run(made_log.write(tmp_path / "bare", bare))) == ()
