"""Everything the trainer raises on purpose. What a program or a reward does is never in here.

TrainerError                  catch this one to catch them all
├── WorkloadInvalid           a workload that no pipeline can run; names the field and its rule
├── ShapeUnknown              a model whose size cannot be told from its config
├── PlanRefused               a recipe and machines that do not go together; says what would
├── GroupInvalid              rewards that give no advantages: a group of one, a reward that is no number
├── ObjectiveInvalid          bounds, coefficients or log-probs that no objective can be made of
├── TooStale                  a token sampled by a policy older than the bound, or newer than the learner
└── BatchInvalid              samples that cannot be laid out: counts that disagree, one past the budget
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
