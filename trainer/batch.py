"""One iteration's prompts from the moment they are drawn: their answers and rewards as these come in.

Everything in it is plain data and goes into a checkpoint as it is, half filled too: what is there is
never drawn or graded again, and what is missing is asked for with the same key and seeds.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from trainer.reward import Reward
from trainer.rollout import Answer, Group, GroupRequest


@dataclass(kw_only=True)
class Slot:
    """One prompt and what has come back for it.

    rewards: in the order of the answers; () until all of the group are graded. graded_seconds: from
    each answer's arrival to its reward.
    """

    problem_id: str
    request: GroupRequest
    answers: tuple[Answer, ...] = ()
    rewards: tuple[Reward, ...] = ()
    sampling_seconds: float = 0.0
    graded_seconds: tuple[float, ...] = ()

    @property
    def is_sampled(self) -> bool:
        return bool(self.answers)

    @property
    def is_graded(self) -> bool:
        return bool(self.rewards)

    def take(self, group: Group) -> None:
        """Keep the answers of a group."""
        self.answers, self.sampling_seconds = group.answers, group.sampling_seconds

    @property
    def is_dead(self) -> bool:
        """Graded, and no two counted rewards differ."""
        scores = [reward.score for reward in self.rewards if reward.score is not None]
        return self.is_graded and (len(scores) < 2 or max(scores) - min(scores) <= 0)


@dataclass(kw_only=True)
class Batch:
    """The prompts of one iteration.

    version: the policy that they are drawn from. epoch: of the order, from 0. round: how often prompts were drawn for it, above 1
    where dead groups are replaced; dead: slots that were. sampling_seconds, grading_seconds,
    waiting_seconds: what it took, and how long its sampler had nothing to do before it.
    """

    iteration: int
    version: int
    slots: list[Slot]
    epoch: int = 0
    round: int = 1
    dead: list[Slot] = field(default_factory=list)
    sampling_seconds: float = 0.0
    grading_seconds: float = 0.0
    waiting_seconds: float = 0.0

    @property
    def is_sampled(self) -> bool:
        return all(slot.is_sampled for slot in self.slots)

    @property
    def is_graded(self) -> bool:
        return all(slot.is_graded for slot in self.slots)

    def as_row(self) -> dict[str, Any]:
        """Plain data for a checkpoint; `batch_of` reads it back, floats to the last bit."""
        return asdict(self)


def batch_of(row: Mapping[str, Any]) -> Batch:
    """The batch of a row. Raises KeyError or TypeError for a row that is none."""
    known = dict(row)
    known["slots"] = [_slot_of(one) for one in row["slots"]]
    known["dead"] = [_slot_of(one) for one in row["dead"]]
    return Batch(**known)


def group_request(
    seed: int,
    iteration: int,
    place: int,
    prompt_ids: Sequence[int],
    stop: tuple[str, ...],
    num: int,
) -> GroupRequest:
    """What is asked for a prompt: its key and seeds follow from the run's seed and its place alone."""
    key = f"{iteration:06d}/{place:04d}"
    return GroupRequest(
        key=key,
        prompt_ids=tuple(prompt_ids),
        seeds=tuple(sample_seed(seed, key, sample) for sample in range(num)),
        stop=stop,
    )


def sample_seed(seed: int, key: str, sample: int) -> int:
    """Of one sample: 63 bits of a digest, so that no two runs, prompts or samples share theirs."""
    digest = hashlib.sha256(f"{seed}/{key}/{sample}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _slot_of(row: Mapping[str, Any]) -> Slot:
    request = dict(row["request"])
    for name in ("prompt_ids", "seeds", "stop"):
        request[name] = tuple(request[name])
    return Slot(
        problem_id=row["problem_id"],
        request=GroupRequest(**request),
        answers=tuple(_answer_of(one) for one in row["answers"]),
        rewards=tuple(Reward(**one) for one in row["rewards"]),
        sampling_seconds=row["sampling_seconds"],
        graded_seconds=tuple(row["graded_seconds"]),
    )


def _answer_of(row: Mapping[str, Any]) -> Answer:
    return Answer(
        token_ids=tuple(row["token_ids"]),
        log_probs=tuple(row["log_probs"]),
        policy_versions=tuple(row["policy_versions"]),
        text=row["text"],
        is_cut=row["is_cut"],
    )
