"""The report in all its forms: whole, self-contained, and made of whatever the log holds."""

import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from evaluator.report_table import console
from trainer.curves import RunLog, read_run
from trainer.report.as_json import report_json
from trainer.report.page import report_page
from trainer.report.table import print_run

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
HOSTILE = "</pre><script>document.title='PWNED'</script><img src=x onerror=\"document.title='PWNED'\"> {{ 7 * 7 }}"
CURVES = (
    "Held-out problems solved", "Solve rate", "What became of the answers", "hold-out tests fail",
    "Groups that teach", "Dead groups replaced", "Length of answers", "Cut at the limit", "No verdict",
    "Entropy", "Clipped tokens", "Sampler against learner", "Gradient norm", "Learning rate",
    "Versions that trained tokens were behind", "Where an iteration", "Waiting", "From answer to verdict",
    "Sampled tokens a second", "Resident memory",
)  # fmt: skip


def table(log: RunLog, other: RunLog | None = None) -> str:
    text = io.StringIO()
    print_run(log, other, console(text))
    return text.getvalue()


@pytest.fixture
def run(made_log: Any, tmp_path: pathlib.Path) -> RunLog:
    return read_run(made_log.write(tmp_path / "run", made_log.whole_run(30)))


def test_every_curve_is_there_with_the_facts_at_the_head(run: RunLog) -> None:
    text = report_page(run)
    captions = " ".join(re.findall(r"<figcaption>([^<]*)", text))
    assert [name for name in CURVES if name not in captions.replace("&#39;", "'")] == []
    head = text[: text.index('id="section-1"')]
    for word in (
        "SmolLM2-135M-Instruct",
        "short-functions",
        "0a1b2c3d4e5f",
        "torch 2.13.0",
        "→",
        "points",
    ):
        assert word in head
    assert "By family of kinds" in text
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def test_page_asks_nothing_of_any_network_and_runs_nothing(run: RunLog) -> None:
    text = report_page(run)
    assert "default-src &#39;none&#39;" in text
    assert "script-src &#39;none&#39;" in text
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!#|data:)|url\(|@import', text)


def test_hostile_texts_stay_texts(made_log: Any, tmp_path: pathlib.Path) -> None:
    rows = [made_log.session(HOSTILE, model=HOSTILE, sampler={HOSTILE: HOSTILE})]
    for n in range(1, 8):
        both = {HOSTILE: [100, 3], "b": [92, 1]} if n > 3 else {"b": [192, 1]}
        rows.append(made_log.iteration(n, sources=both, reasons={HOSTILE: 192}))
    page = report_page(read_run(made_log.write(tmp_path, [*rows, made_log.samples(1, HOSTILE)])))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;img src=x" in page


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium")
def test_a_browser_has_nothing_to_complain_about(run: RunLog, tmp_path: pathlib.Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(report_page(run, run), encoding="utf-8")
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
            "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    assert "<title>made · codeloop train</title>" in done.stdout
    assert "CONSOLE" not in done.stderr


def test_a_change_of_prompts_is_drawn_as_a_break_and_named(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    rows = made_log.whole_run(30)
    place = next(i for i, row in enumerate(rows) if row.get("iteration") == 16)
    rows.insert(place, made_log.stage(1, 16, max_new_tokens=256))
    log = read_run(made_log.write(tmp_path, rows))
    page = report_page(log)
    assert "from iteration 16: stage 1: 256 tokens" in page
    solve_rate = page[page.index("<figcaption>Solve rate") :]
    line = re.search(r'class="mean k0" d="([^"]*)"', solve_rate)
    assert line is not None
    assert line.group(1).count("M") == 2
    assert "16-20 *" in table(log)


def test_two_runs_are_compared_on_the_same_held_out_problems(
    run: RunLog, made_log: Any, tmp_path: pathlib.Path
) -> None:
    rows = [made_log.session("control"), made_log.evaluation(0, 0.1), made_log.iteration(1)]
    control = read_run(made_log.write(tmp_path / "control", rows))
    found = json.loads(report_json(run, control))["compared"]
    assert found["other"] == "control"
    assert found["difference"]["interval"]["low"] > 0.1
    page = report_page(run, control)
    assert "made against control" in page
    assert 'class="mean k0 other"' in page
    assert "against control: +" in table(run, control)
    twin = read_run(made_log.write(tmp_path / "twin", [*made_log.whole_run(10)]))
    assert "made (run) against made (twin)" in report_page(run, twin)
    lone = read_run(made_log.write(tmp_path / "lone", [made_log.session("lone")]))
    assert "lone has no held-out evaluation" in table(run, lone)
    assert "lone has no held-out evaluation" in report_page(run, lone)


def test_json_holds_what_the_page_draws(run: RunLog) -> None:
    found = json.loads(report_json(run))
    assert found["iterations"] == list(range(1, 31))
    assert all(len(values) == 30 for values in found["metrics"].values())
    learned = found["learned"]
    assert learned["interval"]["low"] <= learned["difference"] <= learned["interval"]["high"]
    assert found["alarms"] == found["breaks"] == []


def test_every_beginning_of_a_log_makes_a_report(made_log: Any, tmp_path: pathlib.Path) -> None:
    rows = made_log.whole_run(10)
    beginnings = [rows[:end] for end in range(1, len(rows) + 1)]
    bare = [made_log.session(), {"type": "iteration", "iteration": 1, "learner": {}}]
    nulls = [made_log.session(), made_log.iteration(1, learner={"loss": None, "entropy": None})]
    for number, some in enumerate([*beginnings, bare, nulls]):
        log = read_run(made_log.write(tmp_path / str(number), some))
        assert "What it came to" in report_page(log)
        assert "made: SmolLM2" in table(log)
        assert json.loads(report_json(log))["run"] == "made"


def test_a_long_run_makes_a_page_that_a_browser_opens(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    rows = [made_log.session()]
    for number in range(1, 801):
        rows += [made_log.iteration(number), made_log.samples(number, "x" * 2000)]
    page = report_page(read_run(made_log.write(tmp_path, rows)))
    assert len(page) < 4_000_000


def test_command_writes_the_page_and_says_what_is_no_run(
    made_log: Any, tmp_path: pathlib.Path
) -> None:
    folder = made_log.write(tmp_path / "run", made_log.whole_run(5))
    out = tmp_path / "report.html"

    def codeloop(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deploy", "train", "report", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    done = codeloop(str(folder), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    missing = codeloop(str(tmp_path / "nothing"))
    assert missing.returncode == 1
    assert "nothing/log.jsonl cannot be read" in missing.stderr
    assert "Traceback" not in missing.stderr
