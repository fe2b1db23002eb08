"""Problems as token ids, by the template of the model that is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer

from trainer.dataset.problem import TrainingProblem
from trainer.errors import DatasetInvalid


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A problem and its token ids; a last assistant turn is left open for the model to go on."""

    problem: TrainingProblem
    token_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Problems that can be asked, by id. num_too_long: those that were left out for their length."""

    by_id: Mapping[str, Prompt]
    num_too_long: int = 0


def encode(problems: Sequence[TrainingProblem], model_folder: Path, most_tokens: int) -> Prompts:
    """The problems with the model's own template; longer ones are left out.

    Raises DatasetInvalid when none is left.
    """
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    found: dict[str, Prompt] = {}
    for problem in problems:
        messages = [{"role": one.role, "content": one.content} for one in problem.messages]
        is_prefilled = bool(messages) and messages[-1]["role"] == "assistant"
        token_ids = tokenizer.apply_chat_template(
            messages,
            add_generation_prompt=not is_prefilled,
            continue_final_message=is_prefilled,
            tokenize=True,
            return_dict=False,
        )
        if len(token_ids) <= most_tokens:
            found[problem.id] = Prompt(problem=problem, token_ids=tuple(token_ids))
    if not found:
        raise DatasetInvalid(
            f"none of {len(problems)} problems has a prompt of at most {most_tokens} tokens: raise"
            " drawing.max_prompt_tokens, or name another data set"
        )
    return Prompts(by_id=found, num_too_long=len(problems) - len(found))
