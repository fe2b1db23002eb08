"""`codeloop eval run` and `regrade` as their users meet them: exit codes, folders, kills, going on."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from evaluator.journal import read_manifest, read_records

COMMAND = (sys.executable, "-c", "from deploy.cli import main; main()")
RUN = ("needle-8k", "--limit", "8", "--n", "2", "--temperature", "0.5", "--seed", "7", "--out", "r")
NUM_SAMPLES = 16
Codeloop = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def reader(endpoint: Any) -> Any:
    """An endpoint that finds the needle whenever its seed is even."""

    def reply(_: int, body: Mapping[str, Any]) -> Any:
        number = re.search(r"special number for \w+ is (\d+)", str(body["messages"]))
        assert number is not None
        return endpoint.plain(number[1] if body["seed"] % 2 == 0 else "no idea")

    endpoint.answer = reply
    endpoint.reply = reply
    return endpoint


def run_contents(folder: pathlib.Path) -> set[tuple[Any, ...]]:
    return {
        (*r.sample.key, r.sample.text, r.sample.seed, r.judgement.grade)
        for r in read_records(folder, "strict")
        if r.judgement is not None
    }


def table_of(output: str) -> list[str]:
    """The scores that a command printed; latencies, at the end of a row, differ."""
    rows = [line.split("|") for line in output.splitlines() if "|" in line]
    return [cells[2].strip() for cells in rows]


def test_a_run_prints_its_table_and_leaves_a_folder_that_tells_all(
    reader: Any, codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    done = codeloop("eval", *RUN, "--model", reader.url, "--key", "cl-secret")
    assert done.returncode == 0, done.stderr
    assert "50.0" in done.stdout
    manifest = read_manifest(tmp_path / "r")
    assert manifest["model"] == "tiny"
    assert manifest["command"][:3] == ["codeloop", "eval", "needle-8k"]
    assert "cl-secret" not in (tmp_path / "r" / "manifest.json").read_text()
    facts = manifest["suites"]["needle-8k"]
    assert (facts["sampling"]["n"], facts["sampling"]["seed"], facts["num_problems"]) == (2, 7, 8)
    assert facts["recipe"] == facts["recipes"]["strict"] != facts["recipes"]["official"]
    assert len(run_contents(tmp_path / "r")) == NUM_SAMPLES
    assert reader.headers[0]["authorization"] == "Bearer cl-secret"


@pytest.mark.parametrize("number", [1, 6, 13])
def test_a_killed_run_goes_on_to_the_same_table_without_a_sample_twice(
    reader: Any,
    codeloop: Codeloop,
    own_environment: Mapping[str, str],
    tmp_path: pathlib.Path,
    number: int,
) -> None:
    whole = codeloop("eval", *RUN[:-1], "whole", "--model", reader.url)
    assert whole.returncode == 0, whole.stderr
    reader.forget()
    command = [*COMMAND, "eval", *RUN, "--model", reader.url, "--concurrency", "2"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=own_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )

    def kill(at: int, body: Mapping[str, Any]) -> Any:
        if at == number:
            os.kill(process.pid, signal.SIGKILL)
        return reader.answer(at, body)

    reader.reply = kill
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    kept = {r.sample.key for r in read_records(tmp_path / "r", "strict")}
    assert len(kept) <= number

    reader.reply = reader.answer
    reader.forget()
    done = codeloop("eval", *RUN, "--model", reader.url, "--resume")
    assert done.returncode == 0, done.stderr
    assert len(reader.requests) == NUM_SAMPLES - len(kept)
    assert run_contents(tmp_path / "r") == run_contents(tmp_path / "whole")
    assert table_of(done.stdout) == table_of(whole.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_130_and_says_how_to_go_on(
    reader: Any,
    codeloop: Codeloop,
    own_environment: Mapping[str, str],
    tmp_path: pathlib.Path,
    number: signal.Signals,
) -> None:
    command = [*COMMAND, "eval", *RUN, "--model", reader.url, "--concurrency", "1"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=own_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def interrupt(at: int, body: Mapping[str, Any]) -> Any:
        if at < 5:
            return reader.answer(at, body)
        process.send_signal(number)
        return reader.Reply(hangs=True)

    reader.reply = interrupt
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--out r --resume" in said
    kept = len(list(read_records(tmp_path / "r", "strict")))
    assert kept == 5
    reader.reply = reader.answer
    reader.forget()
    done = codeloop("eval", *RUN, "--model", reader.url, "--resume")
    assert done.returncode == 0, done.stderr
    assert len(reader.requests) == NUM_SAMPLES - kept


def test_a_folder_with_a_run_is_not_run_into_and_not_gone_on_with_otherwise(
    reader: Any, codeloop: Codeloop
) -> None:
    assert codeloop("eval", *RUN, "--model", reader.url).returncode == 0
    again = codeloop("eval", *RUN, "--model", reader.url)
    assert (again.returncode, "add --resume" in again.stderr) == (1, True)
    other = codeloop("eval", *RUN, "--model", reader.url, "--resume", "--max-tokens", "77")
    assert other.returncode == 1
    assert "max_tokens: was 2048, is 77" in other.stderr


def test_the_last_run_like_this_is_found_without_its_name(
    reader: Any, codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    options = ("eval", "needle-8k", "--limit", "2", "--seed", "7", "--model", reader.url)
    assert codeloop(*options).returncode == 0
    reader.forget()
    assert codeloop(*options, "--resume").returncode == 0
    assert not reader.requests
    assert len(list((tmp_path / "runs").iterdir())) == 1
    fresh = codeloop(*options[:-4], "--seed", "8", "--model", reader.url, "--resume")
    assert (fresh.returncode, "no run with these options" in fresh.stderr) == (1, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("nosuch",), "there is no suite 'nosuch'"),
        (("needle-8k", "--preset", "best"), "--preset 'best' is none"),
        (("needle-8k", "--model", "gpt-4o"), "neither a URL nor PROVIDER/MODEL"),
        (("needle-8k", "--mode", "raw"), "asked as chat"),
        (("needle-8k", "--ids", "a,b"), "names 'a'"),
        (("needle-8k", "--bogus"), "No such option"),
        (("needle-8k", "--n", "none"), "valid integer"),
        (("humaneval", "--data", "nowhere"), "HumanEval.jsonl.gz is not there"),
    ],
)
def test_wrong_usage_ends_with_1_and_says_what_is_right(
    codeloop: Codeloop, options: tuple[str, ...], said: str
) -> None:
    done = codeloop("eval", *options)
    assert done.returncode == 1
    assert said in done.stderr


def test_an_endpoint_that_is_not_there_ends_with_2(codeloop: Codeloop) -> None:
    away = ("--model", "http://127.0.0.1:9/v1", "--model-name", "m", "--patience", "0")
    done = codeloop("eval", *RUN, *away)
    assert done.returncode == 2
    assert "http://127.0.0.1:9/v1 gave no answer" in done.stderr


def test_a_wrong_key_ends_with_2_after_one_request(reader: Any, codeloop: Codeloop) -> None:
    reader.reply = lambda *_: reader.error(401, "unknown key")
    done = codeloop("eval", *RUN, "--model", reader.url, "--concurrency", "1")
    assert (done.returncode, "unknown key" in done.stderr) == (2, True)
    assert len(reader.requests) == 1


def test_too_many_failures_of_ours_end_with_2_and_the_table(
    reader: Any, codeloop: Codeloop
) -> None:
    reader.reply = lambda at, body: reader.error(400, "no") if at < 2 else reader.answer(at, body)
    done = codeloop("eval", *RUN, "--model", reader.url)
    assert done.returncode == 2
    assert "failed at 12.5% of the samples" in done.stderr
    assert codeloop("eval", *RUN, "--model", reader.url, "--resume").returncode == 0


def test_a_full_disk_ends_with_2_and_is_gone_on_from(
    reader: Any, codeloop: Codeloop, own_environment: Mapping[str, str], tmp_path: pathlib.Path
) -> None:
    filler = "x" * 40_000
    reader.reply = lambda at, body: reader.plain(filler)
    words = " ".join(["eval", *RUN, "--model", reader.url, "--concurrency", "1"])
    script = f"ulimit -f 400; {COMMAND[0]} -c '{COMMAND[2]}' {words}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=dict(own_environment),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "free space" in done.stderr
    kept = len(list(read_records(tmp_path / "r", "strict")))
    assert 0 < kept < NUM_SAMPLES
    reader.forget()
    assert codeloop("eval", *RUN, "--model", reader.url, "--resume").returncode == 0
    assert len(reader.requests) == NUM_SAMPLES - kept


def test_a_run_is_graded_again_in_its_folder_or_in_another(
    reader: Any, codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    assert codeloop("eval", *RUN, "--model", reader.url).returncode == 0
    reader.forget()
    done = codeloop("eval", "regrade", "r", "--rules", "official", "--out", "copy")
    assert done.returncode == 0, done.stderr
    assert "official rules, run copy" in done.stdout
    assert not reader.requests
    assert not [r for r in read_records(tmp_path / "r", "official") if r.judgement]
    found = list(read_records(tmp_path / "copy", "official"))
    assert len([r for r in found if r.judgement]) == NUM_SAMPLES
    assert run_contents(tmp_path / "copy") == run_contents(tmp_path / "r")
    assert read_manifest(tmp_path / "copy")["regraded"][0]["rules"] == "official"


def test_samples_of_another_tool_become_a_run_and_its_samples_can_be_had(
    codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    rows = [{"task_id": "1024/0", "solution": "nothing"}, {"task_id": "1024/0", "solution": "x"}]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    unnamed = codeloop("eval", "regrade", "s.jsonl")
    assert (unnamed.returncode, "--suite" in unnamed.stderr) == (1, True)
    done = codeloop(
        "eval", "regrade", "s.jsonl", "--suite", "needle-8k", "--out", "theirs", "--export", "out"
    )
    assert done.returncode == 0, done.stderr
    facts = read_manifest(tmp_path / "theirs")["suites"]["needle-8k"]
    assert facts["recipe"]["parts"]["temperature"] == "unknown"
    assert len(run_contents(tmp_path / "theirs")) == 2
    assert [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()] == rows


@pytest.mark.parametrize(("floor", "code"), [(0.02, 0), (0.98, 3)])
def test_a_run_with_a_gate_ends_with_its_answer(
    reader: Any, codeloop: Codeloop, tmp_path: pathlib.Path, floor: float, code: int
) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text(f'[suites."needle-8k"]\nfloor = {floor}\n')
    done = codeloop("eval", *RUN, "--model", reader.url, "--gate", str(gate))
    assert done.returncode == code, done.stderr
    assert "at 95% confidence" in done.stdout


def test_a_gate_that_cannot_be_read_is_known_before_the_first_sample(
    reader: Any, codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "gate.toml").write_text("[suites.needle-8k]\nflor = 1\n")
    done = codeloop("eval", *RUN, "--model", reader.url, "--gate", str(tmp_path / "gate.toml"))
    assert done.returncode == 1
    assert "flor" in done.stderr
    assert reader.headers == []
