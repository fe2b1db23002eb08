"""The pipeline's simulator: nothing is lost, the closed forms hold, and published numbers come out."""

from dataclasses import replace
from statistics import fmean

import pytest

from trainer.errors import TrainerError, WorkloadInvalid
from trainer.pipeline_bounds import (
    ideal_iteration_seconds,
    iteration_seconds,
    run_seconds,
    same_split_speedup,
)
from trainer.pipeline_comparison import compare, with_time_ratio
from trainer.pipeline_fit import Phases, fitted
from trainer.published_pipeline import ROWS, Basis, Row, reproduce
from trainer.simulate import Schedule, draw_lengths, finish_seconds, simulate
from trainer.workload import HandOver, Learning, Lengths, Rewards, Sampling, Workload

PIPELINED = (Schedule.ONE_OFF, Schedule.ONE_OFF_INTERLEAVED)
LONG_TAILED = Workload(
    sampler_devices=3,
    learner_devices=5,
    prompts=6,
    group=8,
    lengths=Lengths(mean_tokens=4_000, variation=1.0, most_tokens=16_384),
    sampling=Sampling(step_seconds=0.008, answer_seconds=0.0002, most_active=12),
    learning=Learning(tokens_per_second=700, fixed_seconds=1),
    rewards=Rewards(seconds=9, variation=1.0, workers=8),
    hand_over=HandOver(publish_seconds=2, load_seconds=3, switch_seconds=5),
)
# 128 answers of 1,000 tokens: 1000 (0.01 + 0.0001 x 32) = 13.2 s on 4 samplers, 128000 / 10000 =
# 12.8 s on 4 learners; 1000 (0.01 + 0.0001 x 16) = 11.6 s and 6.4 s on all 8.
EQUAL_LENGTHS = Workload(
    sampler_devices=4,
    learner_devices=4,
    prompts=16,
    group=8,
    lengths=Lengths(mean_tokens=1_000, most_tokens=1_000),
    sampling=Sampling(step_seconds=0.01, answer_seconds=0.0001),
    learning=Learning(tokens_per_second=2_500),
)


@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize("max_staleness", [1, 2, 4])
def test_every_answer_is_trained_on_once_and_in_order(
    schedule: Schedule, max_staleness: int
) -> None:
    run = simulate(LONG_TAILED, schedule, num_iterations=50, max_staleness=max_staleness)
    assert [batch.index for batch in run.batches] == list(range(50))
    assert {batch.num_trained for batch in run.batches} == {48}
    for batch in run.batches:
        assert batch.sampling_started < batch.sampling_ended <= batch.scored
        assert batch.scored <= batch.training_started < batch.training_ended
    for earlier, later in zip(run.batches, run.batches[1:], strict=False):
        assert later.sampling_started >= earlier.sampling_ended
        assert later.training_started >= earlier.training_ended


@pytest.mark.parametrize("max_staleness", [1, 2, 4])
@pytest.mark.parametrize("speed", [0.2, 1.0, 5.0])
def test_no_batch_is_staler_than_the_bound_nor_the_queue_longer(
    max_staleness: int, speed: float
) -> None:
    learning = Learning(tokens_per_second=700 * speed)
    for schedule in Schedule:
        run = simulate(
            replace(LONG_TAILED, learning=learning),
            schedule,
            num_iterations=60,
            max_staleness=max_staleness,
        )
        bound = max_staleness if schedule in PIPELINED else 0
        assert max(batch.staleness for batch in run.batches) <= bound
        assert min(batch.staleness for batch in run.batches) >= 0
        for batch in run.batches:
            # What the samplers had when they began was trained and handed over by then.
            if batch.sampled_with:
                last = run.batches[batch.sampled_with - 1]
                assert last.training_ended < batch.sampling_started
            waiting = [
                other
                for other in run.batches
                if other.scored < batch.scored < other.training_started
            ]
            assert len(waiting) <= max(1, bound)


def test_a_slow_learner_reaches_the_bound() -> None:
    slow = replace(LONG_TAILED, learning=Learning(tokens_per_second=50))
    for max_staleness in (1, 3):
        run = simulate(slow, Schedule.ONE_OFF, num_iterations=20, max_staleness=max_staleness)
        assert max(batch.staleness for batch in run.batches) == max_staleness


@pytest.mark.parametrize("schedule", Schedule)
def test_no_run_beats_the_ideal_bound(schedule: Schedule) -> None:
    for ratio in (1 / 3, 1.0, 3.0):
        run = simulate(with_time_ratio(LONG_TAILED, ratio), schedule, num_iterations=40)
        ideal = ideal_iteration_seconds(run.sampling_seconds, run.training_seconds)
        assert run.wall_seconds >= 40 * ideal
        assert 0 <= run.sampler_idle < 1
        assert 0 <= run.learner_idle < 1


@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize("is_broadcast", [False, True])
@pytest.mark.parametrize("max_staleness", [1, 2])
@pytest.mark.parametrize("reward_seconds", [0.0, 2.0, 30.0])
def test_equal_lengths_give_the_closed_form(
    schedule: Schedule, is_broadcast: bool, max_staleness: int, reward_seconds: float
) -> None:
    costs = HandOver(
        publish_seconds=0.5, load_seconds=0.3, is_broadcast=is_broadcast, switch_seconds=2
    )
    workload = replace(
        EQUAL_LENGTHS, hand_over=costs, rewards=Rewards(seconds=reward_seconds, workers=1_000)
    )
    # A multiple of every cycle's length, so that the mean is of whole cycles.
    run = simulate(workload, schedule, num_iterations=601, max_staleness=max_staleness)
    is_colocated = schedule is Schedule.COLOCATED
    expected = iteration_seconds(
        schedule,
        sampling_seconds=11.6 if is_colocated else 13.2,
        training_seconds=6.4 if is_colocated else 12.8,
        reward_seconds=reward_seconds,
        hand_over=costs,
        max_staleness=max_staleness,
    )
    assert run.iteration_seconds == pytest.approx(expected, rel=3e-3)


def test_a_run_fills_and_drains_once() -> None:
    run = simulate(EQUAL_LENGTHS, Schedule.ONE_OFF, num_iterations=10)
    assert run.wall_seconds == pytest.approx(13.2 + 9 * 13.2 + 12.8)
    assert run.wall_seconds == pytest.approx(run_seconds(10, 13.2, 12.8))
    assert run.learner_idle == pytest.approx(1 - 10 * 12.8 / run.wall_seconds)
    assert run.sampler_idle == pytest.approx(1 - 10 * 13.2 / run.wall_seconds)
    assert run.device_seconds == pytest.approx(8 * 13.2)
    assert same_split_speedup(13.2, 12.8) == pytest.approx(26 / 13.2)


def test_answers_on_one_sampler_end_as_worked_by_hand() -> None:
    # Two of three at once, a step 1 s + 1 s each: lengths 2 and 4 run at 3 s a token, so the first
    # ends at 6 and the third (1 token) takes its place, ending at 9; the last token alone takes 2 s.
    ends, busy = finish_seconds(
        [2, 4, 1], 1, Sampling(step_seconds=1, answer_seconds=1, most_active=2)
    )
    assert ends == [6, 9, 11]
    assert busy == 11


def test_answers_wait_for_the_sampler_that_is_free_first() -> None:
    ends, busy = finish_seconds(
        [5, 1, 3, 1], 2, Sampling(step_seconds=1, answer_seconds=0, most_active=1)
    )
    assert ends == [1, 4, 5, 5]
    assert busy == 10


def test_lengths_have_the_mean_asked_for_and_a_tail() -> None:
    for variation, mean in ((0.6, 8_000), (1.4, 8_000), (0.8, 14_000)):
        lengths = Lengths(mean_tokens=mean, variation=variation, most_tokens=16_384)
        workload = replace(LONG_TAILED, prompts=64, lengths=lengths)
        drawn = [one for batch in draw_lengths(workload, 40, 1) for one in batch]
        assert fmean(drawn) == pytest.approx(mean, rel=0.02)
        assert max(drawn) == 16_384
        assert min(drawn) >= 1


def test_schedules_see_the_same_answers_and_seeds_differ() -> None:
    first, again, other = (
        simulate(LONG_TAILED, Schedule.ONE_OFF, num_iterations=5, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.batches != other.batches
    split = simulate(LONG_TAILED, Schedule.SAME_SPLIT, num_iterations=5, seed=1)
    assert split.training_seconds == pytest.approx(first.training_seconds)


def test_interleaving_hides_rewards_that_would_hold_up_the_samplers() -> None:
    found = compare(
        replace(EQUAL_LENGTHS, rewards=Rewards(seconds=5, workers=64)), num_iterations=30
    ).runs
    # 128 answers in two rounds of 5 s.
    assert found[Schedule.ONE_OFF].iteration_seconds == pytest.approx(23.2)
    assert found[Schedule.ONE_OFF_INTERLEAVED].iteration_seconds < 18.2


def test_the_curve_over_the_same_split_peaks_where_phases_match() -> None:
    quick = replace(LONG_TAILED, rewards=Rewards(), hand_over=HandOver())
    gains = {
        ratio: compare(with_time_ratio(quick, ratio), num_iterations=40).speedup(
            Schedule.ONE_OFF, over=Schedule.SAME_SPLIT
        )
        for ratio in (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
    }
    assert max(gains, key=lambda ratio: gains[ratio]) == 1.0
    assert gains[1.0] > 1.8
    for ratio, gain in gains.items():
        assert gain == pytest.approx(same_split_speedup(ratio, 1), rel=0.1)


@pytest.mark.parametrize("samplers", range(1, 8))
def test_no_split_beats_the_colocated_run_where_both_phases_scale(samplers: int) -> None:
    # Equal lengths, work that devices share, no rewards and no switching: nothing is there to hide.
    workload = replace(
        EQUAL_LENGTHS,
        sampler_devices=samplers,
        learner_devices=8 - samplers,
        prompts=105,
        sampling=Sampling(step_seconds=0, answer_seconds=0.0001),
    )
    assert (
        compare(workload, num_iterations=20).speedup(
            Schedule.ONE_OFF_INTERLEAVED, over=Schedule.COLOCATED
        )
        <= 1 + 1e-9
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_published_measurements_are_reproduced_within_ten_percent(row: Row) -> None:
    assert reproduce(row).worst_error < 0.10


def test_published_losses_are_losses_here() -> None:
    losses = [row for row in ROWS if row.speedup < 1]
    assert len(losses) >= 2
    assert all(reproduce(row).speedup < 1 for row in losses)


def test_rows_with_published_phases_are_not_fitted_to_their_result() -> None:
    predicted = [row for row in ROWS if row.basis is Basis.PREDICTED]
    assert [row.few.sampling_seconds for row in predicted] == [458, 501]
    # Another result would be predicted just the same.
    other = replace(predicted[0], pipelined_seconds=100)
    assert reproduce(other).pipelined_seconds == reproduce(predicted[0]).pipelined_seconds


def test_half_the_devices_are_a_baseline_of_cost() -> None:
    found = compare(EQUAL_LENGTHS, num_iterations=10)
    assert found.colocated_on_half is not None
    # 13.2 s and 12.8 s on four devices in turn.
    assert found.colocated_on_half.iteration_seconds == pytest.approx(26)
    assert found.cost_against_half(Schedule.ONE_OFF) == pytest.approx(8 * 13.2 / (4 * 26))
    pair = replace(EQUAL_LENGTHS, sampler_devices=1, learner_devices=1)
    assert compare(pair, num_iterations=2).colocated_on_half is None


def test_rates_are_fitted_to_two_points() -> None:
    few = Phases(sampler_devices=4, learner_devices=4, sampling_seconds=13.2, training_seconds=14.8)
    many = Phases(sampler_devices=8, learner_devices=8, sampling_seconds=11.6, training_seconds=8.4)
    found = fitted(EQUAL_LENGTHS, few, many)
    assert found.sampling.step_seconds == pytest.approx(0.01)
    assert found.sampling.answer_seconds == pytest.approx(0.0001)
    assert found.learning.tokens_per_second == pytest.approx(2_500)
    assert found.learning.fixed_seconds == pytest.approx(2)
    for wrong in (replace(many, sampling_seconds=5), replace(many, training_seconds=15)):
        with pytest.raises(WorkloadInvalid, match="by no more than in proportion"):
            fitted(EQUAL_LENGTHS, few, wrong)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sampler_devices", 0, "sampler_devices is 0: there must be at least 1"),
        ("learner_devices", 0, "learner_devices is 0: there must be at least 1"),
        ("group", 1, "group is 1: a group needs at least 2 answers"),
        ("prompts", 0, "prompts is 0"),
    ],
)
def test_workload_that_cannot_run_is_refused(field: str, value: int, message: str) -> None:
    with pytest.raises(WorkloadInvalid, match=message):
        replace(EQUAL_LENGTHS, **{field: value})  # type: ignore[arg-type]


def test_values_that_mean_nothing_are_refused() -> None:
    with pytest.raises(WorkloadInvalid, match="sampler_devices is 4: samplers of 3"):
        replace(
            EQUAL_LENGTHS,
            sampling=Sampling(step_seconds=1, answer_seconds=1, devices_each=3),
        )
    with pytest.raises(WorkloadInvalid, match="cut at 100"):
        Lengths(mean_tokens=99, variation=1, most_tokens=100)
    with pytest.raises(WorkloadInvalid, match="tokens_per_second is 0"):
        Learning(tokens_per_second=0)
    with pytest.raises(WorkloadInvalid, match="load_seconds is -1"):
        HandOver(load_seconds=-1)
    with pytest.raises(WorkloadInvalid, match="max_staleness 0"):
        simulate(EQUAL_LENGTHS, Schedule.ONE_OFF, max_staleness=0)
    assert issubclass(WorkloadInvalid, TrainerError)
