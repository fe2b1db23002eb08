"""What a reader of a suite's score must know before believing it."""

from collections.abc import Iterator

from evaluator.shown import percent
from evaluator.suite_results import SuiteResults

MUCH_TRUNCATION = 0.05
"""Past this share of answers cut at the token limit, a score tells of the limit too."""


def warnings(suite: SuiteResults) -> tuple[str, ...]:
    """Sentences, the gravest first; empty for a whole and clean result."""
    return tuple(_warnings(suite))


def _warnings(suite: SuiteResults) -> Iterator[str]:
    grades = {grade.value: number for grade, number in suite.grades.items()}
    if suite.num_missing:
        yield f"{suite.num_missing} problems have no sample yet: the run is not complete."
    if suite.num_ungraded:
        yield (
            f"{suite.num_ungraded} of {suite.num_samples} samples are not graded under these rules:"
            " codeloop eval regrade does it."
        )
    if grades["infrastructure"]:
        yield (
            f"{grades['infrastructure']} samples failed on our side or the endpoint's and are in no"
            " score: --resume asks for them again."
        )
    if suite.truncation > MUCH_TRUNCATION:
        yield (
            f"{percent(suite.truncation)} % of the answers were cut at the token limit: raise"
            " --max-tokens before comparing."
        )
    if suite.num_samples and grades["no_code"] == suite.num_samples:
        yield "No answer held any code: look at one, the prompt or the extraction does not fit."
    if not suite.recipe:
        yield "The run names no recipe for this suite: its score is comparable with no other."
    if said := suite.facts.get("warning"):
        yield str(said)
