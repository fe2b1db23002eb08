"""Everything the trainer raises on purpose. What a program or a reward does is never in here.

TrainerError                  catch this one to catch them all
├── WorkloadInvalid           a workload that no pipeline can run; names the field and its rule
├── ShapeUnknown              a model whose size cannot be told from its config
├── PlanRefused               a recipe and machines that do not go together; says what would
├── GroupInvalid              rewards that give no advantages: a group of one, a reward that is no number
├── ObjectiveInvalid          bounds, coefficients or log-probs that no objective can be made of
├── TooStale                  a token sampled by a policy older than the bound, or newer than the learner
├── BatchInvalid              samples that cannot be laid out: counts that disagree, one past the budget
├── RecipeInvalid             a recipe's key, type, value or impossible split; names file, table, key, rule
├── RunRefused                a folder that holds another run, or that another process writes
├── DatasetInvalid            a data set that is not whole, not verified, or empty after filtering
├── SamplerFailed             a sampler that is slow, dead or answers nonsense; says how long and which
│   └── SamplerMismatch       other tokens, tokenizer or log-probs than the learner's
├── UpdateFailed              new weights did not reach the sampler
├── RewardFailed              no verdicts: the sandbox or its disk, not the programs
├── ModelUnfit                a model folder that the learner cannot train or write back
├── LearnerFailed             an optimiser step that did not end in its time
├── StepInvalid               a loss or gradient that is no number; nothing was changed
├── AllGroupsDead             k iterations in a row without a group that differs within itself
├── CheckpointInvalid         a checkpoint or manifest that does not verify
├── SaveFailed                a checkpoint or a version could not be written; the last good one stands
├── LogInvalid                a run's folder without a log, or a log with a line that is no row
└── EvaluationsDiffer         two evaluations that cannot be compared problem by problem
"""


class TrainerError(Exception):
    """Base of every error that the trainer raises on purpose."""


class WorkloadInvalid(TrainerError):
    """A workload that no pipeline can run."""


class ShapeUnknown(TrainerError):
    """A model whose size cannot be told from its config."""


class PlanRefused(TrainerError):
    """A recipe and machines that do not go together."""


class GroupInvalid(TrainerError):
    """Rewards that give no advantages."""


class ObjectiveInvalid(TrainerError):
    """Bounds, coefficients or log-probs that no objective can be made of."""


class TooStale(TrainerError):
    """A token was sampled by a policy outside the bound."""


class BatchInvalid(TrainerError):
    """Samples that cannot be laid out for the learner."""


class RecipeInvalid(TrainerError):
    """A recipe that cannot be followed."""


class RunRefused(TrainerError):
    """A folder that holds another run, or that another process writes."""


class DatasetInvalid(TrainerError):
    """A data set that cannot be trained on."""


class SamplerFailed(TrainerError):
    """A sampler is slow, dead, or answers nonsense."""


class SamplerMismatch(SamplerFailed):
    """The sampler's tokens, tokenizer or log-probs are not the learner's."""


class UpdateFailed(TrainerError):
    """New weights did not reach the sampler."""


class RewardFailed(TrainerError):
    """There are no verdicts, and the programs are not to blame."""


class ModelUnfit(TrainerError):
    """A model folder that the learner cannot train or write back in its own layout."""


class LearnerFailed(TrainerError):
    """An optimiser step did not end in its time."""


class StepInvalid(TrainerError):
    """A loss or a gradient is not finite."""


class AllGroupsDead(TrainerError):
    """Nothing was learned from for too many iterations in a row."""


class CheckpointInvalid(TrainerError):
    """A checkpoint or a manifest does not verify."""


class SaveFailed(TrainerError):
    """A checkpoint or a version could not be written."""


class PlacementFailed(TrainerError):
    """Machines are not there, are gone, or a program on one of them has ended."""


class LogInvalid(TrainerError):
    """A folder has no log of a run that can be read."""


class EvaluationsDiffer(TrainerError):
    """Two evaluations have no pairs."""
