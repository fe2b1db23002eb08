"""Samplers: an answer of the local one is its seed's and prompt's alone; the served one speaks our routes."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from deploy.launch import Launched, launch
from evaluator.retry import Patience
from trainer.errors import SamplerFailed, UpdateFailed
from trainer.local_sampler import LocalSampler
from trainer.plain_policy import PlainPolicy
from trainer.policy_options import Compute, PolicyOptions
from trainer.rollout import Answer, Drawing, GroupRequest
from trainer.served_sampler import ServedSampler

DRAWING = Drawing(temperature=0.8, max_new_tokens=12)
PROMPTS = ((5, 6, 7), (9,), (20, 21, 22, 23, 24, 25), (40, 41), (70, 80, 90, 100))


def requests(places: Sequence[int], num_samples: int = 3) -> list[GroupRequest]:
    return [
        GroupRequest(
            key=str(place),
            prompt_ids=PROMPTS[place],
            seeds=tuple(100 * place + sample for sample in range(num_samples)),
        )
        for place in places
    ]


async def drawn(
    sampler: LocalSampler, asked: Sequence[GroupRequest], drawing: Drawing = DRAWING
) -> dict[tuple[str, int], Answer]:
    """Answers by key and seed."""
    return {
        (group.request.key, seed): answer
        async for group in sampler.sample(asked, drawing)
        for seed, answer in zip(group.request.seeds, group.answers, strict=True)
    }


@pytest.fixture
def sampler(letters_model: Path) -> Iterator[LocalSampler]:
    made = LocalSampler(letters_model, num_rows=4, most_tokens=32)
    yield made
    asyncio.run(made.close())


async def test_answer_is_the_same_to_the_bit_whatever_is_drawn_beside_it(
    sampler: LocalSampler,
) -> None:
    together = await drawn(sampler, requests(range(5)))
    backwards = await drawn(sampler, requests([4, 3, 2, 1, 0]))
    assert together == backwards
    for place in range(5):
        alone = await drawn(sampler, requests([place]))
        assert alone == {key: together[key] for key in alone}
        single = await drawn(sampler, requests([place], num_samples=1))
        assert single == {key: together[key] for key in single}
    assert len({answer.token_ids for answer in together.values()}) == 15


async def test_log_probs_are_those_of_the_model_at_the_temperature(sampler: LocalSampler) -> None:
    answers = await drawn(sampler, requests([2]))
    told = await sampler.log_probs(
        [(PROMPTS[2], answer.token_ids) for answer in answers.values()], DRAWING.temperature
    )
    for row, answer in zip(told, answers.values(), strict=True):
        assert row == pytest.approx(answer.log_probs, abs=1e-5)


async def test_tokens_come_as_often_as_their_probability(sampler: LocalSampler) -> None:
    asked = [GroupRequest(key="many", prompt_ids=(5, 6, 7), seeds=tuple(range(4000)))]
    answers = await drawn(sampler, asked, Drawing(temperature=0.1, max_new_tokens=1))
    counts: dict[int, int] = {}
    probabilities: dict[int, float] = {}
    for answer in answers.values():
        token = answer.token_ids[0]
        counts[token] = counts.get(token, 0) + 1
        probabilities[token] = float(torch.tensor(answer.log_probs[0]).exp())
    for token, probability in probabilities.items():
        deviation = (4000 * probability * (1 - probability)) ** 0.5
        assert abs(counts[token] - 4000 * probability) < 5 * deviation + 1


async def test_greedy_takes_the_likeliest_token(sampler: LocalSampler) -> None:
    answers = await drawn(sampler, requests([1]), Drawing(temperature=0, max_new_tokens=5))
    assert len({answer.token_ids for answer in answers.values()}) == 1


async def test_stop_string_ends_an_answer_and_its_tokens_stay(sampler: LocalSampler) -> None:
    plain = await drawn(sampler, requests([0, 1, 2]))
    key, answer = next((k, a) for k, a in plain.items() if any(c.isascii() for c in a.text[1:]))
    stop = next(letter for letter in answer.text[1:] if letter.isascii())
    stopping = Drawing(temperature=0.8, max_new_tokens=12, stop=(stop,))
    found = (await drawn(sampler, requests([0, 1, 2]), stopping))[key]
    assert stop not in found.text
    assert answer.text.startswith(found.text)
    assert not found.is_cut
    assert found.token_ids == answer.token_ids[: len(found.token_ids)]
    assert len(found.token_ids) > 0


async def test_new_weights_draw_other_answers_under_their_version(
    sampler: LocalSampler, letters_model: Path, tmp_path: Path
) -> None:
    before = await drawn(sampler, requests([0]))
    tensors = load_file(letters_model / "model.safetensors")
    save_file({name: one * 1.5 for name, one in tensors.items()}, tmp_path / "model.safetensors")
    await sampler.update(tmp_path, 3)
    after = await drawn(sampler, requests([0]))
    assert all(set(one.policy_versions) == {3} for one in after.values())
    assert [one.log_probs for one in after.values()] != [one.log_probs for one in before.values()]
    await sampler.update(letters_model, 4)
    again = await drawn(sampler, requests([0]))
    assert [one.log_probs for one in again.values()] == [one.log_probs for one in before.values()]


@pytest.mark.parametrize("fault", ["missing", "shape", "unknown", "cut", "none"])
async def test_weights_of_another_model_are_refused_and_the_old_ones_stay(
    sampler: LocalSampler, letters_model: Path, tmp_path: Path, fault: str
) -> None:
    before = await drawn(sampler, requests([0]))
    tensors: dict[str, Any] = load_file(letters_model / "model.safetensors")
    first = sorted(tensors)[-1]
    if fault == "missing":
        del tensors[first]
    elif fault == "shape":
        tensors[first] = torch.zeros(3)
    elif fault == "unknown":
        tensors["other"] = torch.zeros(3)
    if fault != "none":
        save_file(tensors, tmp_path / "model.safetensors")
    if fault == "cut":
        content = (tmp_path / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(content[:-20])
    with pytest.raises(UpdateFailed, match=r"publish (it again|full weights)"):
        await sampler.update(tmp_path, 1)
    assert await drawn(sampler, requests([0])) == before


async def test_prompt_without_room_is_refused(sampler: LocalSampler) -> None:
    asked = [GroupRequest(key="long", prompt_ids=(1,) * 30, seeds=(0, 1))]
    with pytest.raises(SamplerFailed, match="a row of the sampler holds 32"):
        await drawn(sampler, asked)


async def test_sampling_that_is_left_half_way_does_not_hold_up_the_next(
    sampler: LocalSampler,
) -> None:
    groups = sampler.sample(requests(range(5)), DRAWING)
    await anext(groups)
    await groups.aclose()  # type: ignore[attr-defined]
    assert len(await drawn(sampler, requests([0]))) == 3


SCRIPT = """
weights = '{base}'
text = "one two three four "
num_tokens = 400
"""
MODELS = """
[[server.models]]
name = 'scripted'
engine = 'scripted'
role = 'sampler'
adapters = 4
script = '{script}'
"""


@pytest.fixture(scope="module")
def server(letters_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A gateway whose engine plays a script and takes weights of the letters' model."""
    home = tmp_path_factory.mktemp("served")
    script = home / "script.toml"
    script.write_text(SCRIPT.format(base=letters_model))
    with launch(home, settings=MODELS.format(script=script)) as launched:
        yield launched


@pytest.fixture
async def served(server: Launched) -> AsyncIterator[ServedSampler]:
    made = ServedSampler(server.base_url, model="scripted", key=server.key, label="run")
    yield made
    await made.close()


@pytest.fixture
def published(letters_model: Path, tmp_path: Path) -> Path:
    """A version as a policy publishes it."""
    policy = PlainPolicy(letters_model, PolicyOptions(compute=Compute.FLOAT32))
    policy.publish(tmp_path / "000001")
    return tmp_path / "000001"


async def test_served_answers_have_their_tokens_log_probs_and_versions(
    served: ServedSampler, published: Path
) -> None:
    await served.update(published, 1)
    drawing = Drawing(temperature=0.8, max_new_tokens=9, stop=("three",))
    groups = [group async for group in served.sample(requests(range(5)), drawing)]
    assert sorted(group.request.key for group in groups) == ["0", "1", "2", "3", "4"]
    for answer in (answer for group in groups for answer in group.answers):
        assert len(answer.token_ids) == len(answer.log_probs) == len(answer.policy_versions) > 0
        assert set(answer.policy_versions) == {1}
        assert all(value <= 0 for value in answer.log_probs)
        assert "three" not in answer.text
    told = await served.log_probs([(PROMPTS[0], groups[0].answers[0].token_ids)], 0.8)
    assert len(told[0]) == len(groups[0].answers[0].token_ids)


async def test_served_model_says_what_it_is(served: ServedSampler) -> None:
    identity = await served.identify()
    assert identity["model"] == "scripted"


async def test_refused_weights_are_told_and_the_sampler_answers_on(
    served: ServedSampler, published: Path
) -> None:
    weights = published / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(UpdateFailed, match=r"version 2 did not reach the sampler.*weights_refused"):
        await served.update(published, 2)
    groups = [one async for one in served.sample(requests([0]), DRAWING)]
    assert len(groups[0].answers) == 3


async def test_model_that_is_not_served_and_server_that_is_not_there_are_told(
    server: Launched,
) -> None:
    other = ServedSampler(server.base_url, model="other", key=server.key, label="run")
    with pytest.raises(SamplerFailed, match="has no model other, but scripted"):
        await other.identify()
    await other.close()
    nobody = ServedSampler(
        "http://127.0.0.1:9", model="m", label="run", patience=Patience(seconds=0)
    )
    with pytest.raises(SamplerFailed, match="gave no answer"):
        await nobody.identify()
    await nobody.close()


async def test_key_that_may_not_train_is_told(server: Launched) -> None:
    refused = ServedSampler(server.base_url, model="scripted", key="wrong", label="run")
    with pytest.raises(SamplerFailed, match="HTTP 401"):
        await refused.identify()
    await refused.close()
