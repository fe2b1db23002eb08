"""The site: rows of one recipe stand together, published rows apart, and every link leads somewhere."""

import pathlib
import re
from collections.abc import Callable

import pytest

from evaluator.errors import JournalBroken, UsageRefused
from evaluator.judgement import Grade
from evaluator.leaderboard import build_site

WriteRun = Callable[..., pathlib.Path]
PASS, WRONG = Grade.PASS, Grade.WRONG_ANSWER


def test_rows_are_grouped_by_recipe_and_published_ones_are_marked(
    write_run: WriteRun, tmp_path: pathlib.Path
) -> None:
    good = {f"p{i}": [PASS] for i in range(40)}
    poor = {f"p{i}": [PASS if i < 4 else WRONG] for i in range(40)}
    near = {f"p{i}": [PASS if i < 39 else WRONG] for i in range(40)}
    runs = [
        write_run("poor", {"humaneval+": poor}),
        write_run("near", {"humaneval+": near}),
        write_run("good", {"humaneval+": good}),
        write_run("other", {"humaneval+": good}, facts={"recipe": "r2"}),
    ]
    text = build_site(runs, tmp_path / "site").read_text(encoding="utf-8")
    section = text.split('id="suite-1"')[1].split("</section>")[0]
    places = [section.index(f">{name}</a>") for name in ("good", "near", "poor", "other")]
    assert places == sorted(places)
    groups = re.findall(r"recipe <code>(\w+)</code> · strict rules · ([\w ]+)", section)
    assert groups == [
        ("r1", "comparable with each other only"),
        ("r2", "comparable with no other row here"),
    ]
    assert section.count("no clear difference from the first") == 1
    assert section.index("Published by others, not measured here") > max(places)
    assert "DeepCoder-14B-Preview" in section


def test_every_link_leads_to_a_file_of_the_site(
    write_run: WriteRun, tmp_path: pathlib.Path
) -> None:
    first = write_run("one", {"s": {"p": [PASS]}})
    index = build_site([first, first, write_run("ü b<c>", {"s": {"p": [PASS]}})], tmp_path / "site")
    links = set(re.findall(r'href="([^"#:]+)"', index.read_text(encoding="utf-8")))
    assert len(links) == 3
    assert all((index.parent / link).is_file() for link in links)


def test_runs_without_a_recipe_are_comparable_with_none(
    write_run: WriteRun, tmp_path: pathlib.Path
) -> None:
    runs = [write_run(n, {"s": {"p": [PASS]}}, facts={"recipe": ""}) for n in ("a", "b")]
    text = build_site(runs, tmp_path / "site").read_text(encoding="utf-8")
    assert text.count("comparable with no other row here") == 2


def test_a_hostile_name_is_text(write_run: WriteRun, tmp_path: pathlib.Path) -> None:
    run = write_run("run", {"<script>alert(1)</script>": {"p": [PASS]}})
    text = build_site([run], tmp_path / "site").read_text(encoding="utf-8")
    assert "<script" not in text


def test_what_is_no_run_or_cannot_be_written_is_named(
    write_run: WriteRun, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(JournalBroken, match="is no run folder"):
        build_site([tmp_path / "nothing"], tmp_path / "site")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageRefused, match="choose another --out"):
        build_site([write_run("run", {"s": {"p": [PASS]}})], tmp_path / "file")
