"""The HTML report in a real browser: what a model wrote stays text, and every sample can be opened."""

import html
import json
import pathlib
import re
import shutil
import subprocess
from collections.abc import Callable

import pytest

from evaluator.asked import Asked
from evaluator.judgement import Grade
from evaluator.page import inert_json
from evaluator.report_html import MOST_TEXT, cut, report_html
from evaluator.results import read_results

WriteRun = Callable[..., pathlib.Path]
PASS, WRONG = Grade.PASS, Grade.WRONG_ANSWER
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
HOSTILE = (
    "</script><script>document.title='PWNED'</script><img src=x onerror=\"document.title='PWNED'\">"
    "<!--<script>\u2028 ${document.title='PWNED'} {{ 7 * 7 }} &lt;"
)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here: apt install chromium"
)


@pytest.fixture
def page(write_run: WriteRun, tmp_path: pathlib.Path) -> pathlib.Path:
    """A report of two suites whose every text is hostile."""
    asked = [
        Asked(suite="needle", problem=f"n{i}", notes={"length_tokens": 1024 * (1 + i // 2), "depth_percent": 50 * (i % 2)})
        for i in range(4)
    ]  # fmt: skip
    asked.append(Asked(suite=HOSTILE, problem=HOSTILE, prompt=HOSTILE, language=HOSTILE))
    suites = {
        HOSTILE: {HOSTILE: [WRONG, PASS], "other": [PASS]},
        "needle": {f"n{i}": [PASS if i else WRONG] for i in range(4)},
    }
    folder = write_run(
        "run", suites, asked=asked, text=HOSTILE, code=HOSTILE, facts={"title": HOSTILE}
    )
    found = tmp_path / "report.html"
    found.write_text(report_html(read_results(folder)), encoding="utf-8")
    return found


def dom(page: pathlib.Path, tmp_path: pathlib.Path, anchor: str = "") -> tuple[str, str]:
    """The page's DOM after its script ran, and the browser's log."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
            "--dump-dom", f"{page.as_uri()}{anchor}",
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


@needs_chromium
def test_hostile_output_stays_text_in_a_browser(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    found, log = dom(page, tmp_path, "#sample-0")
    assert "<title>tiny · codeloop eval</title>" in found
    assert "<img" not in found
    assert len(re.findall(r"<script", found.split("<body>")[1].replace("&lt;", ""))) == 2
    assert "CONSOLE" not in log


@needs_chromium
def test_a_sample_opens_down_to_its_first_failing_test(
    page: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    found, _ = dom(page, tmp_path, "#sample-0")
    parts = {
        name: html.unescape(text)
        for name, text in re.findall(r'<pre data-part="([^"]+)">(.*?)</pre>', found, re.DOTALL)
    }
    assert parts["Answer"] == parts["Program as graded"] == parts["Prompt"] == HOSTILE
    assert parts["First failing test, number 2: input"] == "[1]"
    assert (parts["Expected"], parts["Got"]) == ("2", "<b>3</b>")
    assert parts["What went wrong"] == "AssertionError"


@needs_chromium
def test_every_sample_is_listed(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    found, _ = dom(page, tmp_path)
    assert 'for="filters">7 of 7</output>' in found
    assert len(re.findall(r'<tr tabindex="0"', found)) == 7


def test_the_page_asks_nothing_of_any_network(page: pathlib.Path) -> None:
    text = page.read_text(encoding="utf-8")
    data = text.index('<script type="application/json"')
    assert "default-src &#39;none&#39;" in text
    assert "unsafe-inline" not in text
    assert not re.search(r'(src|href)="(?!#|data:)', text[:data])
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML", text)


def test_needles_get_a_heat_map(page: pathlib.Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "length 1024, depth 0: 0.0 %" in text
    assert "length 2048, depth 50: 100.0 %" in text


def test_data_cannot_end_its_block_and_reads_back_whole() -> None:
    texts = {"text": HOSTILE + "\ud800", "more": ["<!--", "]]>", "\u2029"]}
    found = inert_json(texts)
    assert not set("<>&\u2028\u2029") & set(found)
    assert json.loads(found)["text"] == HOSTILE + "?"


def test_a_long_text_keeps_its_head_and_its_tail() -> None:
    found = cut("a" * 10**6 + "end", MOST_TEXT)
    assert len(found) < MOST_TEXT + 100
    assert found.endswith("end")
    assert "characters left out" in found
    assert cut("short", MOST_TEXT) == "short"
