"""`log.jsonl`: the truth about a run, one JSON object a line. Reports and curves are made of it alone.

Every row has `type` and, where one is meant, `iteration` (from 1). What a repeat of the run would not find
the same (times, memory) lies under `measured` and nowhere else. Rows by type:

session     once a start: run, recipe_digest, model, dataset, difficulties, curriculum, online_filter, mode,
            control, sampler {…}, resumed_from (iteration, or null), started_at (ISO 8601),
            packages {name: version}
probe       tokens, kl (mean of exp(d) - d - 1), max_difference; before the first iteration
iteration   version (drawn from), stage, epoch, prompts, problems [id], samples, rounds, reward_mean,
            solve_rate, groups_live, groups_dead, groups_replaced, samples_uncounted, truncated_share, tokens_mean,
            tokens_max, tokens_total, staleness {"0": trained tokens …}, holdout_checked,
            holdout_disagreement (share of rewarded answers whose hold-out tests fail, or null),
            reasons {reason: count}, sources {source: [samples, right]},
            steps [one object a step: what StepReport.values has], is_skipped (no step was made)
            learner {means over the steps: loss, gradient_norm, learning_rate, entropy, clip_low_share,
            clip_high_share, mismatch_kl, ratio_max (most), num_tokens, num_fed_tokens (sums)}
            measured {sampling_seconds, grading_seconds (from the last answer to the last reward),
            training_seconds, publishing_seconds, iteration_seconds (from the last row to this),
            sampler_idle_seconds, learner_idle_seconds, reward_latency_seconds {p50, p90, p99, max},
            resident_bytes, tokens_per_second}
samples     iteration, texts [{problem, reward, reason, is_cut, text}]: a few answers to read
evaluation  version, problems, samples, temperature, solve_rate, tokens_mean, truncated_share,
            samples_uncounted, by_problem {id: [right, counted]}, kinds {id: kind}; measured {seconds}
stage       stage (from 0), max_new_tokens, prompts, mini_batches; before its first iteration
save        iteration; measured {seconds, bytes}
end         iterations, reason ("done", "minutes", "interrupted"); measured {seconds}
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from trainer.errors import CheckpointInvalid, SaveFailed

NAME = "log.jsonl"


class EventLog:
    """The file, open for appending. A row is written whole and at once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        try:
            self._file = self._path.open("ab")
        except OSError as error:
            raise self._failed(error) from error

    @property
    def num_bytes(self) -> int:
        """How long it is now: where a checkpoint's part of it ends."""
        return self._file.tell()

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row. Raises SaveFailed."""
        try:
            self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def flush_to_disk(self) -> None:
        """Survive a power cut up to here. Raises SaveFailed."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def cut(self, num_bytes: int) -> None:
        """Forget what came after a checkpoint. Raises CheckpointInvalid for a log shorter than that."""
        if self.num_bytes < num_bytes:
            raise CheckpointInvalid(
                f"{self._path} has {self.num_bytes} bytes and the checkpoint was made at {num_bytes}: the"
                " log lost rows that were trained; put it back, or begin anew in another folder"
            )
        self._file.truncate(num_bytes)
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        self._file.close()

    def _failed(self, error: OSError) -> SaveFailed:
        return SaveFailed(
            f"{self._path} cannot be written ({error.strerror}): free space or mend the disk, then go on"
            " with --resume"
        )


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run's log; a last line that is not whole is left out."""
    with (folder / NAME).open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield orjson.loads(line)
