"""One thread, and a learner's step as small as it goes: layouts, log-probs, surrogate, backward."""

import importlib.util
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from trainer.importance import Correction, CorrectionBounds, correct
from trainer.log_probs import masked_log_probs
from trainer.normaliser import Normaliser, StepTotals, token_weights
from trainer.packing import MicroBatch, Sample, pack
from trainer.surrogate import Objective, TokenTerms, surrogate_loss
from trainer.surrogate_statistics import SurrogateStatistics

Layout = Callable[[Sequence[Sample], Sequence[int]], MicroBatch]
LearnerStep = Callable[..., tuple[float, dict[str, float], dict[str, Tensor]]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def double() -> Iterator[None]:
    """Float64 everywhere, so that equal means equal to twelve digits."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def tiny_model(double: None) -> Callable[..., Any]:
    """A causal model of transformers, its parameters by formula: sines, other ones for each."""

    def make(**config: Any) -> Any:
        shape = {
            "vocab_size": 16, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": False,
            "max_position_embeddings": 64,
        }  # fmt: skip
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**(shape | config)))
        model.double()
        with torch.no_grad():
            for index, parameter in enumerate(model.parameters()):
                steps = torch.arange(parameter.numel())
                values = 0.6 * torch.sin(0.7 * steps * (index + 1) + index)
                parameter.copy_(values.view_as(parameter))
        return model

    return make


@pytest.fixture
def learner_step() -> LearnerStep:
    """Loss, statistics and every parameter's gradient of one step over the given micro-batches.

    proximal, reference: log-probs of each sample's answer tokens, where they are needed.
    """

    def run(
        model: Any,
        samples: Sequence[Sample],
        micro_batches: Sequence[Sequence[int]],
        *,
        layout: Layout = pack,
        objective: Objective | None = None,
        normaliser: Normaliser = Normaliser.GLOBAL_TOKEN,
        totals: StepTotals | None = None,
        correction: Correction = Correction.NONE,
        proximal: Sequence[Sequence[float]] | None = None,
        reference: Sequence[Sequence[float]] | None = None,
        temperature: float = 0.6,
    ) -> tuple[float, dict[str, float], dict[str, Tensor]]:
        model.zero_grad()
        objective = objective or Objective()
        totals = totals or StepTotals(
            num_tokens=sum(len(sample.answer_ids) for sample in samples if sample.is_trained),
            num_sequences=sum(sample.is_trained for sample in samples),
            num_micro_batches=len(micro_batches),
        )
        loss, statistics = 0.0, None
        for indices in micro_batches:
            batch = layout(samples, indices)
            part, counted = surrogate_loss(
                _terms(
                    model, batch, objective, correction, temperature,
                    token_weights(batch.mask_BT, batch.sequence_BT, totals, normaliser=normaliser),
                    None if proximal is None else _laid_out(samples, proximal, indices, layout),
                    None if reference is None else _laid_out(samples, reference, indices, layout),
                ),
                objective,
            )  # fmt: skip
            part.backward()
            loss += part.item()
            statistics = counted if statistics is None else statistics + counted
        assert isinstance(statistics, SurrogateStatistics)
        gradients = {name: tensor.grad.clone() for name, tensor in model.named_parameters()}
        return loss, statistics.named(), gradients

    return run


def _terms(
    model: Any,
    batch: MicroBatch,
    objective: Objective,
    correction: Correction,
    temperature: float,
    weights_BT: Tensor,
    proximal_BT: Tensor | None,
    reference_BT: Tensor | None,
) -> TokenTerms:
    hidden_BTD = model.model(
        input_ids=batch.token_ids_BT, position_ids=batch.position_ids_BT, use_cache=False
    ).last_hidden_state
    log_probs_BT, entropy_BT = masked_log_probs(
        hidden_BTD,
        model.lm_head.weight,
        batch.targets_BT,
        batch.mask_BT,
        temperature=temperature,
        with_entropy=True,
    )
    return TokenTerms(
        log_probs_BT=log_probs_BT,
        corrected=correct(
            batch.behaviour_log_probs_BT,
            proximal_BT,
            batch.mask_BT,
            batch.sequence_BT,
            correction=correction,
            bounds=CorrectionBounds(),
        ),
        advantages_BT=batch.advantages_BT,
        mask_BT=batch.mask_BT,
        token_weights_BT=weights_BT,
        entropy_BT=entropy_BT,
        reference_log_probs_BT=reference_BT,
    )


def _laid_out(
    samples: Sequence[Sample],
    values: Sequence[Sequence[float]],
    indices: Sequence[int],
    layout: Layout,
) -> Tensor:
    """Other log-probs of the same tokens, aligned as the layout aligns the sampler's."""
    others = [
        Sample(
            prompt_ids=sample.prompt_ids,
            answer_ids=sample.answer_ids,
            behaviour_log_probs=row,
            policy_versions=sample.policy_versions,
            advantage=sample.advantage,
        )
        for sample, row in itertools.zip_longest(samples, values)
    ]
    return layout(others, indices).behaviour_log_probs_BT


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder as transformers writes it: Qwen2, tied, two layers, key heads shared by two."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    config = transformers.Qwen2Config(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
        max_position_embeddings=256,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = transformers.Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def batches() -> list[list[Sample]]:
    """Two batches of three prompts with four answers each, drawn by nobody, one answer untrained."""
    chooser = random.Random(5)

    def group(num_prompt: int) -> list[Sample]:
        prompt = [chooser.randrange(64) for _ in range(num_prompt)]
        lengths = [chooser.randrange(1, 9) for _ in range(4)]
        return [
            Sample(
                prompt_ids=prompt,
                answer_ids=[chooser.randrange(64) for _ in range(length)],
                behaviour_log_probs=[-chooser.uniform(3.5, 5.0) for _ in range(length)],
                policy_versions=[0] * length,
                advantage=(1.5, -0.5, -0.5, -0.5)[place],
                is_trained=(num_prompt, place) != (3, 2),
            )
            for place, length in enumerate(lengths)
        ]

    return [[one for num in (3, 12, 20) for one in group(num)] for _ in range(2)]


@pytest.fixture(scope="session")
def tiny_run() -> Any:
    """The program tiny_run.py as a module: parts of a run that takes a second."""
    path = Path(__file__).with_name("tiny_run.py")
    spec = importlib.util.spec_from_file_location("tiny_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def letters_model(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the model that tiny_run trains."""
    folder = tmp_path_factory.mktemp("letters") / "model"
    tiny_run.make_model(folder)
    return folder


@pytest.fixture
def make_setup(tiny_run: Any, letters_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """A run's parts, with changes to the recipe and with parts replaced."""

    def made(*changes: str, name: str = "run", **replaced: Any) -> Any:
        recipe = tiny_run.recipe(letters_model, changes)
        return tiny_run.setup(tmp_path / name, recipe, **replaced)

    return made
