"""Held-out training problems as a suite of the evaluator: asked with their own prompts, graded by its judge.

A problem that begins the answer is asked as text, for a chat's last turn is the user's; the text is what
the model's own template makes of the turns.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from deploy.errors import LoopInvalid
from evaluator.problem import Problem
from evaluator.prompt import Text
from evaluator.suite import Suite
from trainer.dataset.folder import load_dataset
from trainer.dataset.problem import TrainingProblem, of_difficulty
from trainer.dataset.short_functions import SOURCE, short_functions, split

FENCE = "```"
Render = Callable[[TrainingProblem], str]


def heldout_problems(
    data: str, most: int, difficulties: Sequence[str] = ()
) -> Sequence[TrainingProblem]:
    """What is never trained on; `most` of them, evenly spread, 0 for all.

    data: a data set's folder, or the family's name. difficulties: only these; none named takes all.
    Raises DatasetInvalid.
    """
    is_family = data == SOURCE
    found: Sequence[TrainingProblem] = (
        split(short_functions())[1] if is_family else load_dataset(Path(data).expanduser())
    )
    found = of_difficulty(found, difficulties)
    if not most or most >= len(found):
        return found
    return [found[place * len(found) // most] for place in range(most)]


def heldout_suite(name: str, problems: Sequence[TrainingProblem], render: Render) -> Suite:
    """The suite. render: the prompt's text, by the model's template.

    Raises LoopInvalid for a problem without an answer head.
    """
    by_id = {problem.id: problem for problem in problems}
    for problem in problems:
        if not problem.answer_head:
            raise LoopInvalid(
                f"held-out problem {problem.id!r} does not begin its answer: the loop's own suite asks"
                " for such problems only; hold out short functions"
            )
    known = [_judged(problem) for problem in problems]

    def prompt(problem: Problem) -> Text:
        asked = by_id[problem.id]
        return Text(text=render(asked), stop=tuple(dict.fromkeys((FENCE, *asked.stop))))

    return Suite(
        name=name,
        title="Held-out problems",
        source=problems[0].source,
        licence=problems[0].licence,
        files=(),
        load=lambda _data: known,
        prompt=prompt,
        # The statement is the answer's head: a completion goes on from it.
        extraction="completion",
        official_extraction="completion",
    )


def renderer(model_folder: Path) -> Render:
    """Prompts by the template of the model in the folder."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder)

    def render(problem: TrainingProblem) -> str:
        turns = [{"role": one.role, "content": one.content} for one in problem.messages]
        is_begun = turns[-1]["role"] == "assistant"
        text = tokenizer.apply_chat_template(
            turns,
            add_generation_prompt=not is_begun,
            continue_final_message=is_begun,
            tokenize=False,
        )
        return str(text)

    return render


def _judged(problem: TrainingProblem) -> Problem:
    return replace(problem.problem, statement=problem.answer_head, group=problem.kind)
