"""What an operator may set about evaluations: the table `[evaluator]` of the settings file."""

from pydantic import BaseModel, ConfigDict


class EvaluatorSettings(BaseModel):
    """Benchmark suites: their data, their runs, their caches."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    data: str = "../shared/data"
    """Folder that holds the suites' files; --data and CODELOOP_DATA replace it."""
    runs: str = "runs"
    """Folder that gets one folder a run."""
    cache: str = "~/.cache/codeloop/evaluator"
    """Folder where expected outputs are kept, by the digest of what they were made from."""
