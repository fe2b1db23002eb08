"""A run: nothing is drawn twice, nothing is lost, and every end is one that a person can go on from."""

import asyncio
import datetime as dt
import pathlib
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from evaluator.asking import Asking, Choice, ask_suite
from evaluator.completer import Sampling
from evaluator.data import DataFolder
from evaluator.errors import (
    AccessRefused,
    EndpointFailed,
    JournalBroken,
    NotComparable,
    UsageRefused,
)
from evaluator.grading.bench import Bench, Rules
from evaluator.http_completer import HttpCompleter
from evaluator.journal import JOURNAL, Journal, Record, read_records
from evaluator.judgement import Grade, Judgement
from evaluator.manifest import manifest_of, refuse_other_run
from evaluator.problem import Problem, StdioTask, TextTask
from evaluator.progress import Progress
from evaluator.prompt import Chat, Prompt, ask
from evaluator.recipe import differences, recipe, recipe_parts
from evaluator.regrade import regraded
from evaluator.retry import Patience
from evaluator.run import Run
from evaluator.suite import Suite
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings

PROBLEMS = tuple(
    Problem(id=f"p/{number}", statement=f"question {number}", task=TextTask(expected="one"))
    for number in range(6)
)
SUITE = Suite(
    name="words",
    title="Words",
    source="here",
    licence="none",
    files=(),
    load=lambda _: PROBLEMS,
    prompt=lambda problem: ask(problem.statement, system="Be brief."),
    extraction="answer",
    official_extraction="answer",
)
SAMPLING = Sampling(temperature=0.5, seed=100)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Sandbox(SandboxSettings(workers=2)) as sandbox:
        yield Bench(sandbox=sandbox, rules=Rules.STRICT, cache=tmp_path_factory.mktemp("cache"))


def asking(suite: Suite = SUITE, n: int = 3, **options: Any) -> Asking:
    asked: dict[str, Any] = {"sampling": SAMPLING, "num_samples": n} | options
    return ask_suite(suite, DataFolder(pathlib.Path("nowhere")), **asked)


@pytest.fixture
def finish(endpoint: Any, bench: Bench) -> Callable[..., Progress]:
    """Run what a folder lacks against the endpoint; patience: of the client, in seconds."""

    def run(
        folder: pathlib.Path, asked: Sequence[Asking], *, patience: float = 30, **options: Any
    ) -> Progress:
        async def whole() -> Progress:
            retried = Patience(
                seconds=patience, first_wait_seconds=0.001, longest_wait_seconds=0.001
            )
            completer = HttpCompleter(endpoint.url, model="tiny", patience=retried)
            try:
                with Journal(folder) as journal:
                    known = list(read_records(folder, "strict"))
                    found = Run(asked, completer=completer, journal=journal, bench=bench, **options)
                    return await found.finish(known)
            finally:
                await completer.close()

        return asyncio.run(whole())

    return run


def contents(folder: pathlib.Path) -> set[tuple[Any, ...]]:
    """What a run came to, without the times that it took."""
    return {
        (*r.sample.key, r.sample.text, r.sample.seed, r.sample.error, r.judgement.grade)
        for r in read_records(folder, "strict")
        if r.judgement is not None
    }


def grades(records: Iterator[Record]) -> list[Grade]:
    return [record.judgement.grade for record in records if record.judgement]


def test_every_sample_is_drawn_once_with_a_seed_of_its_own_and_graded(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    done = finish(tmp_path / "r", [asking()])
    assert (done.num_samples, done.num_sampled, done.num_graded, done.num_failed) == (18, 18, 18, 0)
    assert sum(done.grades.values()) == 18
    assert set(done.grades) == {Grade.PASS, Grade.WRONG_ANSWER}
    asked = {(body["messages"][-1]["content"], body["seed"]) for body in endpoint.requests}
    assert asked == {(f"question {p}", 100 + i) for p in range(6) for i in range(3)}
    assert len(endpoint.requests) == 18
    assert done.completion_tokens == 18 * 3


@pytest.mark.parametrize("share", [0.0, 0.07, 0.31, 0.5, 0.83, 0.999])
def test_a_journal_that_was_cut_anywhere_ends_as_an_undisturbed_one(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path, share: float
) -> None:
    finish(tmp_path / "whole", [asking()])
    content = (tmp_path / "whole" / JOURNAL).read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / JOURNAL).write_bytes(content[: int(share * len(content))])
    kept = list(read_records(tmp_path / "cut", "strict"))
    endpoint.forget()
    done = finish(tmp_path / "cut", [asking()])
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert len(endpoint.requests) == 18 - len(kept)
    assert done.num_graded == 18
    assert done.num_before == len([r for r in kept if r.judgement])


def test_a_run_that_is_whole_asks_nothing(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    finish(tmp_path, [asking()])
    endpoint.forget()
    size = (tmp_path / JOURNAL).stat().st_size
    done = finish(tmp_path, [asking()])
    assert not endpoint.requests
    assert (tmp_path / JOURNAL).stat().st_size == size
    assert done.num_graded == done.num_before == 18


def test_a_sample_without_an_answer_is_never_scored_and_is_drawn_again(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    endpoint.reply = lambda _, body: (
        endpoint.error(500, "out of order")
        if "question 2" in str(body)
        else endpoint.by_prompt(body)
    )
    done = finish(tmp_path, [asking()], patience=0, concurrency=1)
    assert done.num_failed == done.grades[Grade.INFRASTRUCTURE] == 3
    assert done.infrastructure == 3 / 18
    assert done.score == done.grades[Grade.PASS] / 15
    failed = [r for r in read_records(tmp_path, "strict") if r.sample.error]
    assert {r.sample.problem for r in failed} == {"p/2"}
    assert "out of order" in failed[0].sample.error
    endpoint.reply = lambda _, body: endpoint.by_prompt(body)
    endpoint.forget()
    done = finish(tmp_path, [asking()])
    assert len(endpoint.requests) == 3
    assert done.infrastructure == 0
    assert done.num_graded == 18


def test_an_endpoint_that_stays_away_ends_the_run_and_keeps_what_was_drawn(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    endpoint.reply = lambda number, body: (
        endpoint.by_prompt(body) if number < 5 else endpoint.error(503)
    )
    with pytest.raises(EndpointFailed, match="8 samples in a row got no answer"):
        finish(tmp_path, [asking()], patience=0, concurrency=1)
    answered = [r for r in read_records(tmp_path, "strict") if not r.sample.error]
    assert len(answered) == 5


def test_a_wrong_key_ends_the_run_at_once(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    endpoint.reply = lambda *_: endpoint.error(401, "who are you")
    with pytest.raises(AccessRefused, match="who are you"):
        finish(tmp_path, [asking()], concurrency=1)
    assert len(endpoint.requests) == 1
    assert not list(read_records(tmp_path, "strict"))


def test_refused_requests_do_not_end_a_run(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    endpoint.reply = lambda *_: endpoint.error(400, "too long")
    done = finish(tmp_path, [asking()])
    assert done.grades == {Grade.INFRASTRUCTURE: 18}


def test_a_full_disk_ends_in_a_clear_state_and_loses_nothing(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    endpoint.reply = lambda *_: endpoint.plain("one " * 500)
    with file_limit(20_000), pytest.raises(JournalBroken, match="free space"):
        finish(tmp_path, [asking()], concurrency=2)
    kept = len(list(read_records(tmp_path, "strict")))
    assert 0 < kept < 18
    endpoint.forget()
    assert finish(tmp_path, [asking()]).num_graded == 18
    assert len(endpoint.requests) == 18 - kept


@contextmanager
def file_limit(most_bytes: int) -> Iterator[None]:
    """No file of this process grows past it: what a full disk looks like to a writer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_run_that_is_cancelled_keeps_what_was_drawn(
    endpoint: Any, bench: Bench, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    endpoint.reply = lambda number, body: (
        endpoint.by_prompt(body) if number < 7 else endpoint.Reply(hangs=True)
    )

    async def cancelled() -> None:
        running: list[asyncio.Task[Any]] = []

        def stop(progress: Progress) -> None:
            if progress.num_graded == 7:
                running[0].cancel()

        completer = HttpCompleter(endpoint.url, model="tiny")
        with Journal(tmp_path) as journal:
            run = Run(
                [asking()],
                completer=completer,
                journal=journal,
                bench=bench,
                concurrency=1,
                on_progress=stop,
            )
            running.append(asyncio.create_task(run.finish()))
            with pytest.raises(asyncio.CancelledError):
                await running[0]
        await completer.close()

    asyncio.run(cancelled())
    assert len(contents(tmp_path)) == 7
    endpoint.reply = lambda _, body: endpoint.by_prompt(body)
    endpoint.forget()
    assert finish(tmp_path, [asking()]).num_graded == 18
    assert len(endpoint.requests) == 11


def second(problem: Problem, answer: str, judgement: Judgement) -> Prompt | None:
    return None if judgement.is_right else ask(f"{problem.statement}: not {answer}. Again.")


def test_a_failed_try_is_followed_by_one_more_also_after_a_crash_between_them(
    endpoint: Any, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    suite = replace(SUITE, second_prompt=second)
    endpoint.reply = lambda _, body: endpoint.plain("one" if "Again" in str(body) else "two")
    done = finish(tmp_path / "r", [asking(suite, n=1)])
    found = list(read_records(tmp_path / "r", "strict"))
    assert [r.sample.attempt for r in found].count(2) == 6
    assert all(r.judgement and r.judgement.is_right for r in found if r.sample.attempt == 2)
    assert done.grades == {Grade.WRONG_ANSWER: 6}

    lines = (tmp_path / "r" / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    first_tries = [line for line in lines if b'"attempt": 1' in line]
    (tmp_path / "cut" / JOURNAL).write_bytes(b"".join(first_tries))
    endpoint.forget()
    finish(tmp_path / "cut", [asking(suite, n=1)])
    assert len(endpoint.requests) == 6
    assert contents(tmp_path / "cut") == contents(tmp_path / "r")


@pytest.mark.parametrize(
    ("text", "finish_reason", "grade"),
    [
        ("", "stop", Grade.NO_CODE),
        ("<think>one</think>", "stop", Grade.NO_CODE),
        ("x" * 10_000_000, "stop", Grade.WRONG_ANSWER),
        ("half of it", "length", Grade.TRUNCATED),
        ("one", "length", Grade.PASS),
    ],
)
def test_odd_answers_get_a_grade_and_a_row(
    endpoint: Any,
    finish: Callable[..., Progress],
    tmp_path: pathlib.Path,
    text: str,
    finish_reason: str,
    grade: Grade,
) -> None:
    endpoint.reply = lambda *_: endpoint.plain(text, finish=finish_reason)
    finish(tmp_path, [asking(n=1, choice=Choice(limit=1))])
    (record,) = read_records(tmp_path, "strict")
    assert record.sample.text == text
    assert record.judgement is not None
    assert record.judgement.grade is grade


def test_a_journal_graded_again_twenty_times_says_the_same(
    bench: Bench, finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    finish(tmp_path, [asking()])
    samples = [record.sample for record in read_records(tmp_path, "strict")]
    by_id = {problem.id: problem for problem in PROBLEMS}
    rows = [(SUITE, by_id[sample.problem], sample) for sample in samples]
    first = [(s.key, j.grade) for s, j in regraded(rows, bench)]
    assert [key for key, _ in first] == [sample.key for sample in samples]
    assert all([(s.key, j.grade) for s, j in regraded(rows, bench)] == first for _ in range(20))


def test_the_recipe_changes_with_all_that_a_score_depends_on_and_with_nothing_else() -> None:
    def parts(asked: Asking, rules: Rules = Rules.STRICT) -> dict[str, Any]:
        return recipe_parts(asked, rules)

    base = parts(asking())
    assert recipe(base) == recipe(parts(asking(sampling=replace(SAMPLING, seed=1))))
    harder = tuple(replace(p, task=TextTask(expected="two")) for p in PROBLEMS)
    others = {
        "samples": parts(asking(n=4)),
        "temperature": parts(asking(sampling=replace(SAMPLING, temperature=0.6))),
        "max_tokens": parts(asking(sampling=replace(SAMPLING, max_tokens=9))),
        "problems": parts(asking(choice=Choice(limit=2))),
        "prompts": parts(asking(replace(SUITE, prompt=lambda p: ask(p.statement + "!")))),
        "tasks": parts(asking(replace(SUITE, load=lambda _: harder))),
        "rules": parts(asking(), Rules.OFFICIAL),
        "extraction": parts(asking(replace(SUITE, extraction="raw"))),
    }
    for part, found in others.items():
        assert list(differences(base, found)) == [part]
        assert recipe(found)["id"] != recipe(base)["id"]


def test_another_run_is_not_gone_on_with(bench: Bench) -> None:
    def manifest(asked: Asking, model: str = "tiny", weights: str = "w1") -> dict[str, Any]:
        told = {"model": model, "weights": weights}
        return manifest_of(
            [asked], run="r", rules=Rules.STRICT, endpoint=told, sandbox=bench.sandbox
        )

    before = manifest(asking())
    assert dt.datetime.fromisoformat(before["started"]).tzinfo is not None
    refuse_other_run(before, manifest(asking()))
    for other, named in (
        (manifest(asking(n=4)), r"words, samples: was 3, is 4"),
        (manifest(asking(), model="big"), r"model: was tiny, is big"),
        (manifest(asking(), weights="w2"), r"weights: was w1, is w2"),
        (manifest(asking(sampling=replace(SAMPLING, seed=1))), r"words, seed: was 100, is 1"),
    ):
        with pytest.raises(NotComparable, match=named):
            refuse_other_run(before, other)


def test_without_a_system_prompt_its_text_leads_the_users_turn() -> None:
    prompt = asking(system_prompt=False).suite.prompt(PROBLEMS[0])
    assert isinstance(prompt, Chat)
    assert [(m.role, m.content) for m in prompt.messages] == [("user", "Be brief.\n\nquestion 0")]


def test_choices_that_no_suite_can_follow_are_refused() -> None:
    with pytest.raises(UsageRefused, match="asked as chat"):
        asking(mode="raw")
    with pytest.raises(UsageRefused, match=r"'p/9'.*look like 'p/0'"):
        asking(choice=Choice(ids=("p/9",)))
    with pytest.raises(UsageRefused, match="there are python"):
        asking(choice=Choice(languages=("cobol",)))


def test_why_our_host_cannot_grade_is_told(
    finish: Callable[..., Progress], tmp_path: pathlib.Path
) -> None:
    nothing = Problem(id="p/0", statement="question 0", task=StdioTask(tests=(), language="swift"))
    suite = replace(SUITE, name="ungraded", load=lambda _: (nothing,))
    done = finish(tmp_path, [asking(suite, n=1)])
    assert done.grades[Grade.INFRASTRUCTURE] == 1
    assert done.last_failure
