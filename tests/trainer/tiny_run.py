"""Program and parts: a run of a tiny model that takes a second, and can be killed at a named point.

    python tiny_run.py FOLDER [--resume] [--kill PHASE:ITERATION[:COUNT]] [--unseeded] [KEY=VALUE ...]

The model is random, of a fixed seed; a reward is 1 when the answer holds the letter that was asked for.
"""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from evaluator.problem import Problem, TextTask
from evaluator.prompt import Message
from trainer.dataset.order import Order
from trainer.dataset.problem import TrainingProblem
from trainer.event_log import read_log
from trainer.local_sampler import LocalSampler, tokenizer_digest
from trainer.pipeline import Watch
from trainer.plain_policy import PlainPolicy
from trainer.prompts import encode
from trainer.recipe import Recipe
from trainer.recipe_file import apply_change, recipe_of
from trainer.reward import Reward
from trainer.rollout import Answer, Drawing, Group, GroupRequest
from trainer.run_setup import policy_options
from trainer.train import Setup, run

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def tables(folder: Path) -> dict[str, Any]:
    """A recipe; folder: where the model lies."""
    return {
        "name": "tiny",
        "seed": 7,
        "model": {"source": str(folder), "compute": "float32"},
        "data": {"train": "letters"},
        "sampler": {"num_rows": 8},
        "drawing": {"temperature": 1.0, "max_new_tokens": 6, "max_prompt_tokens": 8},
        "batch": {"prompts": 4, "samples": 4, "mini_batches": 2},
        "objective": {"overlong": "off"},
        "optimiser": {"learning_rate": 1e-2, "tokens_per_micro_batch": 64},
        "pipeline": {"mode": "one_off_interleaved"},
        "checkpoint": {"every": 2},
        "evaluation": {"every": 3, "samples": 2},
        "probe": {"prompts": 2},
        "limits": {"iterations": 6},
    }


def make_model(folder: Path) -> None:
    """A random Llama of one layer whose tokens are bytes."""
    words = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<end>": 0} | {word: place + 1 for place, word in enumerate(words)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
        eos_token_id=0, bos_token_id=0, pad_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def problems(letters: str = LETTERS[:12]) -> list[TrainingProblem]:
    """One a letter."""
    return [
        TrainingProblem(
            id=letter,
            kind=letter,
            source="letters",
            licence="Apache-2.0",
            messages=(Message(role="user", content=f"say {letter}"),),
            problem=Problem(id=letter, statement="", task=TextTask(expected=letter)),
        )
        for letter in letters
    ]


class LetterGrader:
    """Right is an answer with a letter of the problem's half of the alphabet."""

    async def grade(self, problem: TrainingProblem, answer: Answer) -> Reward:
        half = set(LETTERS[:13] if problem.id < "n" else LETTERS[13:])
        is_right = bool(half & set(answer.text))
        return Reward(
            score=float(is_right),
            reason="pass" if is_right else "wrong_answer",
            holdout=is_right or None,
            seconds=0.0,
        )


class Saying:
    """Gives every answer what a function says."""

    def __init__(self, score: Callable[[Answer], float | None]) -> None:
        self._score = score

    async def grade(self, problem: TrainingProblem, answer: Answer) -> Reward:
        return Reward(score=self._score(answer), reason="said", holdout=None, seconds=0.0)


class Unseeded:
    """A sampler that draws other answers each time it is asked, as an engine does."""

    def __init__(self, real: Any) -> None:
        self.update, self.log_probs = real.update, real.log_probs
        self.identify, self.close = real.identify, real.close
        self._real = real

    async def sample(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> AsyncIterator[Group]:
        asked = {request.key: request for request in requests}
        changed = [
            replace(one, seeds=tuple(secrets.randbits(60) for _ in one.seeds)) for one in requests
        ]
        async for group in self._real.sample(changed, drawing):
            yield replace(group, request=asked[group.request.key])


class KillingWatch(Watch):
    """Ends this very process, as a power cut would, when a phase of an iteration is met."""

    def __init__(self, point: str) -> None:
        phase, _, rest = point.partition(":")
        iteration, _, count = rest.partition(":")
        self._point, self._left = (phase, int(iteration)), int(count or 1)

    def phase(self, name: str, iteration: int) -> None:
        if (name, iteration) == self._point:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


class SavedInHalf(PlainPolicy):
    """A policy that is killed while its state or its weights are being written."""

    point = ""

    def state(self) -> dict[str, Any]:
        state = super().state()
        return state | {"end": _Killing()} if self._is("state") else state

    def publish(self, folder: Path, summary: Mapping[str, Any] | None = None) -> None:
        if self._is("publish"):
            hidden = folder.with_name(f".{folder.name}.unfinished-00000000")
            hidden.mkdir(parents=True)
            (hidden / "model.safetensors").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        super().publish(folder, summary)

    def _is(self, what: str) -> bool:
        phase, _, version = self.point.partition(":")
        return phase == what and self.version == int(version)


class _Killing:
    """Kills when it is pickled: in the middle of a checkpoint's file."""

    def __reduce__(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def setup(folder: Path, recipe: Recipe, **replaced: Any) -> Setup:
    """All parts; any may be replaced."""
    model = Path(recipe.model.source)
    train = problems()
    most_tokens = recipe.drawing.max_prompt_tokens + max(
        stage.max_new_tokens for stage in recipe.all_stages
    )
    parts: dict[str, Any] = {
        "recipe": recipe,
        "folder": folder,
        "policy": SavedInHalf(model, policy_options(recipe)),
        "sampler": LocalSampler(model, num_rows=recipe.sampler.num_rows, most_tokens=most_tokens),
        "grader": LetterGrader(),
        "prompts": encode(train, model, recipe.drawing.max_prompt_tokens),
        "order": Order(problems=train, seed=recipe.seed, is_filtered=recipe.data.online_filter),
        "heldout": encode(problems("opq"), model, recipe.drawing.max_prompt_tokens),
        "tokenizer_digest": tokenizer_digest(model),
        "dataset": "letters",
    }
    return Setup(**(parts | replaced))


def recipe(model: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe with changes such as limits.iterations=2."""
    said = tables(model)
    for change in changes:
        apply_change(said, change)
    return recipe_of(said, source="tiny.toml")


def drive(made: Setup) -> list[dict[str, Any]]:
    """Run to the end; the log's rows."""
    asyncio.run(run(made))
    return list(read_log(made.folder))


def of_type(rows: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """Those rows of a log."""
    return [row for row in rows if row["type"] == name]


def main(words: Sequence[str]) -> None:
    """Run, or go on."""
    torch.set_num_threads(1)
    folder, watch = Path(words[0]), Watch()
    changes = [word for word in words if "=" in word]
    if "--kill" in words:
        point = words[words.index("--kill") + 1]
        watch, SavedInHalf.point = KillingWatch(point), point
    made = setup(folder, recipe(folder.parent / "model", changes))
    if "--unseeded" in words:
        made = replace(made, sampler=Unseeded(made.sampler))
    asyncio.run(run(made, is_resumed="--resume" in words, watch=watch))


if __name__ == "__main__":
    main(globals().get("WORDS", sys.argv[1:]))
