"""Everything the trainer raises on purpose. What a program or a reward does is never in here.

TrainerError                  catch this one to catch them all
├── WorkloadInvalid           a workload that no pipeline can run; names the field and its rule
├── ShapeUnknown              a model whose size cannot be told from its config
└── PlanRefused               a recipe and machines that do not go together; says what would
"""


class TrainerError(Exception):
    """Base of every error that the trainer raises on purpose."""


class WorkloadInvalid(TrainerError):
    """A workload that no pipeline can run."""


class ShapeUnknown(TrainerError):
    """A model whose size cannot be told from its config."""


class PlanRefused(TrainerError):
    """A recipe and machines that do not go together."""
