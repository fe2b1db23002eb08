"""The log of a real run, of a tiny model, tells whatever the report draws."""

import importlib.util
import io
import math
import pathlib
import sys

from evaluator.report_table import console
from trainer.curves import read_run
from trainer.metrics import METRICS
from trainer.report.page import report_page
from trainer.report.table import print_run

PROGRAM = pathlib.Path(__file__).parent.with_name("tiny_run.py")


def test_a_real_run_tells_every_metric(tmp_path: pathlib.Path) -> None:
    spec = importlib.util.spec_from_file_location("tiny_run", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    tiny_run = importlib.util.module_from_spec(spec)
    sys.modules["tiny_run"] = tiny_run
    spec.loader.exec_module(tiny_run)
    tiny_run.make_model(tmp_path / "model")
    tiny_run.main([str(tmp_path / "run"), "limits.iterations=3"])
    log = read_run(tmp_path / "run")
    told = {
        metric.name
        for row in log.iterations
        for metric in METRICS
        if not math.isnan(metric.read(row))
    }
    assert {metric.name for metric in METRICS} - told == set()
    assert log.end is not None
    assert len(log.evaluations) == 2
    assert log.samples
    assert "Versions that trained tokens were behind" in report_page(log)
    text = io.StringIO()
    print_run(log, None, console(text))
    assert "tiny" in text.getvalue()
    assert "done" in text.getvalue()
