"""The same numbers for TensorBoard and Prometheus, live or from a log."""

import math
import pathlib
import urllib.request
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from trainer.curves import read_run
from trainer.errors import SaveFailed
from trainer.metrics import METRICS
from trainer.prometheus_log import PrometheusLog
from trainer.tensorboard_log import TensorBoardLog, write_tensorboard


def scalars(folder: pathlib.Path) -> dict[str, list[tuple[int, float, float]]]:
    """By tag: step, value, wall time."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    found: dict[str, list[tuple[int, float, float]]] = {}
    for path in sorted(folder.iterdir()):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                number = float(tensor_util.make_ndarray(value.tensor))
                found.setdefault(value.tag, []).append((event.step, number, event.wall_time))
    return found


def test_a_log_becomes_event_files_with_every_metric(made_log: Any, tmp_path: pathlib.Path) -> None:
    log = read_run(made_log.write(tmp_path / "run", made_log.whole_run(10)))
    write_tensorboard(log, tmp_path / "events")
    found = scalars(tmp_path / "events")
    assert {f"{one.group}/{one.name}" for one in METRICS} <= found.keys()
    drawn = [(step, value) for step, value, _ in found["reward/solve_rate"]]
    assert [step for step, _ in drawn] == [row["iteration"] for row in log.iterations]
    rates = [row["solve_rate"] for row in log.iterations]
    assert [value for _, value in drawn] == pytest.approx(rates)
    assert [step for step, _, _ in found["heldout/solve_rate"]] == [0, 10]
    times = [moment for _, _, moment in found["reward/solve_rate"]]
    assert times[-1] - times[0] == pytest.approx(9 * 8.5)


def test_rows_written_live_are_the_same_curves(made_log: Any, tmp_path: pathlib.Path) -> None:
    rows = made_log.whole_run(10)
    live = TensorBoardLog(tmp_path / "live")
    for row in rows:
        live.row(row)
    live.close()
    write_tensorboard(read_run(made_log.write(tmp_path / "run", rows)), tmp_path / "events")
    ours, theirs = scalars(tmp_path / "live"), scalars(tmp_path / "events")
    assert {tag: [one[:2] for one in some] for tag, some in ours.items()} == {
        tag: [one[:2] for one in some] for tag, some in theirs.items()
    }


def series(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if not one.name.endswith("_created")
    }


def test_series_tell_the_last_value_and_the_sums(made_log: Any, tmp_path: pathlib.Path) -> None:
    metrics = PrometheusLog()
    rows = made_log.whole_run(10)
    for row in rows[:-1]:
        metrics.row(row)
    metrics.write(tmp_path / "train.prom")
    found = series((tmp_path / "train.prom").read_text())
    last = [row for row in rows if row["type"] == "iteration"][-1]
    assert found["codeloop_train_solve_rate", ()] == pytest.approx(last["solve_rate"])
    assert found["codeloop_train_iteration", ()] == 10
    assert found["codeloop_train_answers_total", ()] == 1920
    assert found["codeloop_train_phase_seconds_total", (("phase", "grading"),)] == pytest.approx(4)
    assert found["codeloop_train_trained_tokens_total", (("age", "1"),)] == 27000
    assert found["codeloop_train_is_running", ()] == 1
    assert 0 < found["codeloop_train_heldout_solve_rate_low", ()] < 1
    metrics.row(rows[-1])
    metrics.write(tmp_path / "train.prom")
    assert series((tmp_path / "train.prom").read_text())["codeloop_train_is_running", ()] == 0


def test_a_value_that_is_no_longer_told_does_not_look_alive(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    metrics = PrometheusLog()
    metrics.row(made_log.iteration(1))
    metrics.row(made_log.iteration(2, learner={"entropy": None}))
    metrics.write(tmp_path / "train.prom")
    found = series((tmp_path / "train.prom").read_text())
    assert math.isnan(found["codeloop_train_entropy", ()])


def test_labels_stay_bounded_whatever_a_run_names(made_log: Any, tmp_path: pathlib.Path) -> None:
    metrics, counts = PrometheusLog(), []
    for number in range(1, 60):
        metrics.row(
            made_log.iteration(
                number,
                staleness={str(number): 1},
                reasons={f"reason {number}": 1},
                sources={f"source {number}": [8, 1]},
            )
        )
        metrics.write(tmp_path / "train.prom")
        counts.append(len(series((tmp_path / "train.prom").read_text())))
    assert counts[-1] == counts[9]


def test_series_are_served_over_http_and_a_taken_port_is_told() -> None:
    metrics = PrometheusLog()
    server, thread = metrics.serve(0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            assert b"codeloop_train_iteration" in answer.read()
        with pytest.raises(SaveFailed, match="choose another port"):
            PrometheusLog().serve(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
