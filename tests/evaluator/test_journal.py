"""A run folder survives crashes, full disks and a second writer."""

import json
import pathlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from evaluator.errors import JournalBroken
from evaluator.journal import (
    JOURNAL,
    MANIFEST,
    Journal,
    Sample,
    read_manifest,
    read_records,
    write_manifest,
)
from evaluator.judgement import Failure, Grade, Judgement


def sample(index: int, text: str = "x = 1") -> Sample:
    return Sample(suite="s", problem="p", index=index, text=text)


def test_what_is_written_is_read_back(tmp_path: pathlib.Path) -> None:
    judged = Judgement(
        grade=Grade.PARTIAL,
        scores={"base": True, "plus": False},
        num_passed=3,
        num_tests=4,
        failure=Failure(test=3, given="[1]", expected="2", got="3"),
        code="x = 1",
    )
    odd = Sample(
        suite="s", problem="p", index=1, text="é\u2028\0\n", error="none", seed=4, cost=0.1
    )
    with Journal(tmp_path) as journal:
        journal.write_sample(sample(0))
        journal.write_sample(odd)
        journal.write_judgement(sample(0), "strict", judged)
    first, second = read_records(tmp_path, "strict")
    assert (first.sample, first.judgement) == (sample(0), judged)
    assert (second.sample, second.judgement) == (odd, None)


def test_every_prefix_of_a_journal_is_read_and_written_on(tmp_path: pathlib.Path) -> None:
    with Journal(tmp_path) as journal:
        for index in range(3):
            journal.write_sample(sample(index))
    content = (tmp_path / JOURNAL).read_bytes()
    line_bytes = len(content) // 3
    for cut in range(len(content) + 1):
        (tmp_path / JOURNAL).write_bytes(content[:cut])
        whole = cut // line_bytes
        assert len(list(read_records(tmp_path, "strict"))) == whole
        with Journal(tmp_path) as journal:
            journal.write_sample(sample(9))
        assert [r.sample.index for r in read_records(tmp_path, "strict")] == [*range(whole), 9]


def test_a_torn_line_longer_than_a_block_is_cut_off(tmp_path: pathlib.Path) -> None:
    with Journal(tmp_path) as journal:
        journal.write_sample(sample(0))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "sample", "text": "' + b"x" * 200_000)
    with Journal(tmp_path) as journal:
        journal.write_sample(sample(1))
    assert [r.sample.index for r in read_records(tmp_path, "strict")] == [0, 1]


def test_the_last_row_of_a_key_counts_under_each_rule_set(tmp_path: pathlib.Path) -> None:
    with Journal(tmp_path) as journal:
        journal.write_sample(sample(0, "old"))
        for rules, grade in (
            ("strict", Grade.WRONG_ANSWER),
            ("official", Grade.PASS),
            ("strict", Grade.MEMORY),
        ):
            journal.write_judgement(sample(0), rules, Judgement(grade=grade))
        journal.write_sample(sample(0, "new"))
    for rules, grade in (("strict", Grade.MEMORY), ("official", Grade.PASS)):
        (record,) = read_records(tmp_path, rules)
        assert record.sample.text == "new"
        assert record.judgement == Judgement(grade=grade)


def test_a_broken_line_in_the_middle_is_named(tmp_path: pathlib.Path) -> None:
    with Journal(tmp_path) as journal:
        journal.write_sample(sample(0))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "sam\n')
    with pytest.raises(JournalBroken, match=r"line 2"):
        list(read_records(tmp_path, "strict"))


def test_a_folder_has_one_writer(tmp_path: pathlib.Path) -> None:
    with Journal(tmp_path) as journal:
        journal.write_sample(sample(0))
        with pytest.raises(JournalBroken, match="in use by another command"):
            Journal(tmp_path)
    with Journal(tmp_path):
        pass
    assert len(list(read_records(tmp_path, "strict"))) == 1


def test_a_full_disk_is_told_and_what_was_synced_stays(tmp_path: pathlib.Path) -> None:
    with pytest.raises(JournalBroken, match="nothing that was written is lost"):
        fill(tmp_path)
    kept = [r.sample.index for r in read_records(tmp_path, "strict")]
    assert kept == [0, 1, 2, 3]
    with Journal(tmp_path) as journal:
        journal.write_sample(sample(4))
    assert [r.sample.index for r in read_records(tmp_path, "strict")] == [0, 1, 2, 3, 4]


def fill(folder: pathlib.Path) -> None:
    with file_limit(5_000), Journal(folder) as journal:
        for index in range(100):
            journal.write_sample(sample(index, "x" * 800))
            journal.sync()


@contextmanager
def file_limit(most_bytes: int) -> Iterator[None]:
    """No file of this process grows past it: what a full disk looks like to a writer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_in_the_way_is_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(JournalBroken, match="choose another --out"):
        Journal(tmp_path / "run")


def test_a_manifest_is_whole_or_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(JournalBroken, match="is no run folder"):
        read_manifest(tmp_path)
    write_manifest(tmp_path, {"run": "a"})
    with file_limit(1_000), pytest.raises(JournalBroken, match="cannot be written"):
        write_manifest(tmp_path, {"run": "b" * 10_000})
    assert read_manifest(tmp_path) == {"run": "a"}
    (tmp_path / MANIFEST).write_text(json.dumps([1]))
    with pytest.raises(JournalBroken, match="holds no object"):
        read_manifest(tmp_path)
