"""What a pipeline can give at best, in closed form: the mark that runs and simulations are held to.

All hold for phases of constant length; where lengths vary, the mean of a maximum is above the
maximum of the means, and a run stays below what is said here. Source: max-plus cycle means, as of
any ring of processes that wait for each other (Baccelli et al., Synchronization and Linearity).
"""

from trainer.simulate import Schedule
from trainer.workload import HandOver

NO_COST = HandOver()


def ideal_iteration_seconds(sampling_seconds: float, training_seconds: float) -> float:
    """The longer phase: everything else is hidden behind it.

    Phases are those of the split in question. No pipeline on that split is faster, whatever the
    staleness.
    """
    return max(sampling_seconds, training_seconds)


def same_split_speedup(sampling_seconds: float, training_seconds: float) -> float:
    """Most that one-off pipelining gains over the same split without it; 2 where the phases match.

    Says nothing about the colocated schedule, which gives all devices to each phase: where both
    phases speed up in proportion to devices, no split beats that.
    """
    return (sampling_seconds + training_seconds) / ideal_iteration_seconds(
        sampling_seconds, training_seconds
    )


def iteration_seconds(
    schedule: Schedule,
    *,
    sampling_seconds: float,
    training_seconds: float,
    reward_seconds: float = 0.0,
    hand_over: HandOver = NO_COST,
    max_staleness: int = 1,
) -> float:
    """Seconds between two updates in the steady state, for phases of constant length.

    reward_seconds: from a batch's last answer until all of it is scored. The phases are those of
    the schedule's own devices: all of them when colocated, a part of the split otherwise.
    """
    together = sampling_seconds + reward_seconds + training_seconds
    if schedule is Schedule.COLOCATED:
        return together + hand_over.switch_seconds
    publish, load = hand_over.publish_seconds, hand_over.load_seconds
    # A broadcast reaches the samplers while it is sent; a published folder is written, then read.
    one_way_round = together + (load if hand_over.is_broadcast else publish + load)
    if schedule is Schedule.SAME_SPLIT:
        return one_way_round
    waits = 0.0 if schedule is Schedule.ONE_OFF_INTERLEAVED else reward_seconds
    return max(
        load + sampling_seconds + waits,
        training_seconds + publish,
        # A batch waits for the update of the batch max_staleness + 1 before it.
        one_way_round / (max_staleness + 1),
    )


def run_seconds(num_iterations: int, sampling_seconds: float, training_seconds: float) -> float:
    """A pipelined run from first answer to last update, filling and draining included.

    No rewards, no hand-over: T_g + (N - 1) max(T_g, T_t) + T_t.
    """
    steady = ideal_iteration_seconds(sampling_seconds, training_seconds)
    return sampling_seconds + (num_iterations - 1) * steady + training_seconds
