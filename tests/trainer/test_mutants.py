"""The tests of the formulas notice when a formula is wrong: each mutant here fails them.

A mutant is a module of the trainer whose source has one piece replaced. The named test file is run
against it, function by function, in modules of its own; the trainer's own modules are put back after.
"""

import importlib.util
import inspect
import pathlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

HERE = pathlib.Path(__file__).parent
TRAINER = HERE.parents[1] / "trainer"


class Mutant(NamedTuple):
    """In trainer/`module`.py `before`, found once, becomes `after`; tests/trainer/`tests`.py must fail."""

    name: str
    module: str
    before: str
    after: str
    tests: str


MUTANTS = [
    Mutant("sign of the advantage", "advantage",
           "advantages_PG = centred_PG / (", "advantages_PG = -centred_PG / (", "test_advantage"),
    Mutant("deviation by n", "advantage", "(count_PG - 1)).sqrt()", "count_PG).sqrt()",
           "test_advantage"),
    Mutant("dead group told by nothing", "advantage",
           "is_dead_P = ~_has_spread(rewards_PG, is_counted_PG)",
           "is_dead_P = torch.zeros_like(num_counted_P, dtype=torch.bool)", "test_advantage"),
    Mutant("dead group divided by zero", "advantage", "centred_PG = torch.where(is_counted_PG & "
           "~is_dead_P[:, None], centred_PG, 0.0)", "DEVIATION_FLOOR = 0.0", "test_advantage"),
    Mutant("excluded samples in the mean", "advantage",
           "rewards_PG = torch.where(is_counted_PG, rewards_PG, 0.0)", "pass", "test_advantage"),
    Mutant("leave-one-out upside down", "advantage",
           "centred_PG * count_PG / (count_PG - 1)", "centred_PG * (count_PG - 1) / count_PG",
           "test_bandit"),
    Mutant("right truncated answers silenced", "overlong",
           "is_truncated_PG & (rewards_PG <= 0)", "is_truncated_PG", "test_advantage"),
    Mutant("no clip-high", "surrogate", "1.0 + objective.clip_high)\n    return",
           "1.0 + objective.clip_low)\n    return", "test_surrogate"),
    Mutant("no clip below", "surrogate", "ratio_BT.clamp(1.0 - objective.clip_low, ",
           "ratio_BT.clamp(0.0, ", "test_surrogate"),
    Mutant("max for min", "surrogate", "torch.minimum(", "torch.maximum(", "test_surrogate"),
    Mutant("sign of the loss", "surrogate", "loss = -(", "loss = (", "test_surrogate"),
    Mutant("mask ignored", "surrogate", "mask_BT = terms.mask_BT",
           "mask_BT = torch.ones_like(terms.mask_BT)", "test_surrogate"),
    Mutant("sign of the entropy", "surrogate", "gain_BT + objective.entropy_coefficient",
           "gain_BT - objective.entropy_coefficient", "test_surrogate"),
    Mutant("sign of the drift", "surrogate", "gain_BT - objective.kl_coefficient",
           "gain_BT + objective.kl_coefficient", "test_surrogate"),
    Mutant("k1 for k3", "surrogate", "log_ratio_BT.exp() - log_ratio_BT - 1.0", "-log_ratio_BT",
           "test_surrogate"),
    Mutant("drift the other way round", "surrogate", "reference_log_probs_BT - log_probs_BT",
           "log_probs_BT - reference_log_probs_BT", "test_surrogate"),
    Mutant("correction ignored", "surrogate",
           "gain_BT = gain_BT * torch.where(mask_BT, terms.corrected.weights_BT, 0.0)", "pass",
           "test_surrogate"),
    Mutant("ratio inverted", "importance", "numerator_BT - denominator_BT, 0.0)\n    return log",
           "denominator_BT - numerator_BT, 0.0)\n    return log", "test_importance"),
    Mutant("ratio without bound", "importance",
           "log_ratio_BT.clamp(-MOST_LOG_RATIO, MOST_LOG_RATIO).exp()", "log_ratio_BT.exp()",
           "test_importance"),
    Mutant("truncation's bound ignored", "importance", "ratio_BT.clamp(max=bounds.cap)", "ratio_BT",
           "test_importance"),
    Mutant("geometric mask without its low bound", "importance",
           "(geometric_BT >= bounds.low) & ", "", "test_importance"),
    Mutant("geometric mask over the batch", "importance",
           "owner_N = sequence_BT[mask_BT]", "owner_N = sequence_BT[mask_BT] * 0",
           "test_importance"),
    Mutant("gradient through the weights", "importance",
           "proximal_BT = proximal_log_probs_BT.detach()", "proximal_BT = proximal_log_probs_BT",
           "test_importance"),
    Mutant("clip centred on the sampler", "importance", "centre_log_probs_BT=proximal_BT",
           "centre_log_probs_BT=behaviour_BT", "test_importance"),
    Mutant("staleness the other way round", "staleness", "learner_version - versions_BT, 0",
           "versions_BT - learner_version, 0", "test_importance"),
    Mutant("staleness without bound", "staleness", "if oldest > bound:", "if False:",
           "test_importance"),
    Mutant("mean of the micro-batch for the step's", "normaliser",
           "return ones_BT / totals.num_tokens", "return ones_BT / ones_BT.sum()",
           "test_surrogate"),
    Mutant("sequences weighed by length", "normaliser",
           "(totals.num_sequences * lengths_BT)", "(totals.num_sequences)", "test_surrogate"),
    Mutant("temperature ignored forward", "log_probs",
           "logits_TV.to(softmax_type).div_(temperature)", "logits_TV.to(softmax_type)",
           "test_log_probs"),
    Mutant("temperature ignored backward", "log_probs",
           "grad_logits_TV.div_(temperature).to(", "grad_logits_TV.to(", "test_log_probs"),
    Mutant("last chunk only", "log_probs", "grad_output_VD += grad_logits_TV.t()",
           "grad_output_VD = grad_logits_TV.t()", "test_log_probs"),
    Mutant("entropy's gradient without the entropy", "log_probs",
           "log_TV.add_(entropy_TV)", "log_TV", "test_log_probs"),
    Mutant("log-probs off by one token", "packing", '["targets_BT"][:-1] = token_ids[1:]',
           '["targets_BT"][:-1] = token_ids[:-1]', "test_packing"),
    Mutant("positions that run on", "packing", '"position_ids_BT": torch.arange(num_tokens)',
           '"position_ids_BT": torch.zeros(num_tokens, dtype=torch.long)', "test_packing"),
    Mutant("balanced by tokens", "micro_batches", "costs = [length * (length + linear_tokens)", "costs = [length",
           "test_packing"),
    Mutant("ranks with unequal counts", "micro_batches", "while len(bins) % num_ranks or not bins:",
           "while not bins:", "test_packing"),
]  # fmt: skip


@contextmanager
def fresh_trainer(mutant: Mutant | None) -> Iterator[None]:
    """Inside, trainer's modules are imported anew, with the mutant's source in the place of its own."""
    kept = {
        name: module
        for name, module in sys.modules.items()
        if name == "trainer" or name.startswith("trainer.")
    }
    for name in kept:
        del sys.modules[name]
    try:
        if mutant is not None:
            _import_mutant(mutant)
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "trainer"]:
            del sys.modules[name]
        sys.modules.update(kept)


def _import_mutant(mutant: Mutant) -> None:
    path = TRAINER / f"{mutant.module}.py"
    source = path.read_text()
    assert source.count(mutant.before) == 1, f"{mutant.name}: the source has changed; adapt it"
    name = f"trainer.{mutant.module}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(compile(source.replace(mutant.before, mutant.after), path, "exec"), vars(module))  # noqa: S102


def failures(tests: str) -> Iterator[str]:
    """Names of the failing tests of a file, of those that need no argument."""
    spec = importlib.util.spec_from_file_location(f"mutated_{tests}", HERE / f"{tests}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, test in vars(module).items():
        if name.startswith("test_") and not inspect.signature(test).parameters:
            run: Callable[[], None] = test
            try:
                run()
            except (Exception, pytest.fail.Exception):  # noqa: BLE001 (any way to fail will do)
                yield name


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_noticed(mutant: Mutant) -> None:
    with fresh_trainer(mutant):
        assert next(failures(mutant.tests), None) is not None


@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS}))
def test_nothing_is_noticed_without_a_mutant(tests: str) -> None:
    with fresh_trainer(None):
        assert list(failures(tests)) == []
