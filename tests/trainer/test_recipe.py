"""A recipe says all, and every fault in it is told with its file, table, key, value, rule and way out."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from trainer.errors import DatasetInvalid, RecipeInvalid
from trainer.recipe_file import read_recipe, recipe_digest, recipe_of, shipped_recipes
from trainer.run_setup import problems_of

SMALL: dict[str, Any] = {
    "name": "small",
    "model": {"source": "m"},
    "data": {"train": "d"},
    "drawing": {"max_new_tokens": 16},
    "batch": {"prompts": 4, "samples": 2},
    "optimiser": {"learning_rate": 1e-5, "tokens_per_micro_batch": 64},
    "limits": {"iterations": 2},
}


def with_key(table: str, key: str, value: Any) -> dict[str, Any]:
    return SMALL | {table: SMALL.get(table, {}) | {key: value}}


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    assert read_recipe(name).name == name.removesuffix(".toml")


@pytest.mark.parametrize(
    ("table", "key", "value", "told"),
    [
        ("batch", "prompst", 4, "batch.prompst is no key of a recipe: did you mean prompts?"),
        ("batch", "samples", 1, "batch.samples is 1: .* greater than or equal to 2"),
        ("batch", "prompts", "four", "batch.prompts is 'four': .* valid integer"),
        ("batch", "prompts", True, "batch.prompts is True: .* valid integer"),
        ("batch", "mini_batches", 3, "mini_batches is 3 and prompts is 4: .* divides prompts"),
        ("batch", "dead_groups", "eat", "batch.dead_groups is 'eat': .*'leave_out'"),
        ("drawing", "temperature", 0.0, "drawing.temperature is 0.0: .* greater than 0"),
        ("objective", "clip_low", 1.5, "objective.clip_low is 1.5: .* less than 1"),
        ("objective", "correction", "some", "objective.correction is 'some'"),
        ("optimiser", "tokens_per_micro_batch", 8, "is 8, and an answer|is 8 and an answer"),
        ("limits", "iterations", 0, "limits.iterations is 0"),
        ("sampler", "kind", "served", "a served sampler needs both"),
        ("sampler", "weights", "adapter", "a local sampler loads whole weights"),
        ("publish", "keep", 1, "publish.keep is 1"),
    ],
)
def test_fault_is_told_with_place_value_rule_and_way_out(
    table: str, key: str, value: Any, told: str
) -> None:
    with pytest.raises(RecipeInvalid, match=told) as refused:
        recipe_of(with_key(table, key, value), source="my.toml")
    assert str(refused.value).startswith("my.toml: ")


def test_one_off_needs_a_staleness_of_one() -> None:
    tables = with_key("pipeline", "mode", "one_off") | {"objective": {"max_staleness": 0}}
    with pytest.raises(RecipeInvalid, match=r"max_staleness is 0 and pipeline\.mode is 'one_off'"):
        recipe_of(tables, source="my.toml")


def test_all_faults_are_told_at_once() -> None:
    tables = with_key("batch", "samples", 1) | {"limits": {"iterations": 0}}
    with pytest.raises(RecipeInvalid) as refused:
        recipe_of(tables, source="my.toml")
    assert len(str(refused.value).splitlines()) == 2


def test_missing_table_and_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match="batch is not set"):
        recipe_of({key: SMALL[key] for key in SMALL if key != "batch"}, source="my.toml")
    with pytest.raises(RecipeInvalid, match=r"none\.toml cannot be read .*tiny\.toml"):
        read_recipe(str(tmp_path / "none.toml"))
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(RecipeInvalid, match="is no TOML"):
        read_recipe(str(tmp_path / "broken.toml"))


def test_changes_replace_keys_and_are_checked_as_the_file_is() -> None:
    changed = read_recipe("tiny.toml", ["batch.prompts=3", "name=other", "publish.keep=4"])
    assert (changed.batch.prompts, changed.name, changed.publish.keep) == (3, "other", 4)
    with pytest.raises(RecipeInvalid, match="is no change"):
        read_recipe("tiny.toml", ["batch.prompts"])
    with pytest.raises(RecipeInvalid, match="no key of a recipe"):
        read_recipe("tiny.toml", ["batch.nothing=1"])


def test_stages_lengthen_and_the_last_goes_on() -> None:
    stages = [
        {"iterations": 2, "max_new_tokens": 16, "prompts": 4},
        {"iterations": 1, "max_new_tokens": 32, "prompts": 8, "mini_batches": 2},
    ]
    recipe = recipe_of(SMALL | {"stages": stages}, source="my.toml")
    found = [recipe.stage_at(iteration) for iteration in (1, 2, 3, 9)]
    assert [number for number, _ in found] == [0, 0, 1, 1]
    assert [stage.max_new_tokens for _, stage in found] == [16, 16, 32, 32]
    assert [stage.mini_batches for _, stage in found] == [1, 1, 2, 2]


def test_stage_with_an_impossible_split_is_refused() -> None:
    stages = [{"iterations": 1, "prompts": 5, "mini_batches": 2}]
    with pytest.raises(RecipeInvalid, match="mini_batches is 2 and prompts is 5"):
        recipe_of(SMALL | {"stages": stages}, source="my.toml")


def test_digest_is_of_what_is_said_and_not_of_how() -> None:
    written_out = with_key("batch", "mini_batches", 1)
    assert recipe_digest(recipe_of(SMALL, source="a")) == recipe_digest(
        recipe_of(written_out, source="b")
    )
    other = recipe_of(with_key("batch", "mini_batches", 2), source="a")
    assert recipe_digest(other) != recipe_digest(recipe_of(SMALL, source="a"))


@pytest.mark.parametrize(
    ("name", "prompts", "tokens", "iterations"),
    [("deepcoder-14b-16k.toml", 32, 16384, 180), ("deepcoder-14b-32k.toml", 128, 32768, 570)],
)
def test_deepcoder_recipes_have_the_published_values(
    name: str, prompts: int, tokens: int, iterations: int
) -> None:
    recipe = read_recipe(name)
    assert (recipe.batch.prompts, recipe.batch.samples, recipe.batch.mini_batches) == (
        prompts,
        8,
        2,
    )
    assert (recipe.drawing.max_new_tokens, recipe.drawing.max_prompt_tokens) == (tokens, 2048)
    assert recipe.limits.iterations == iterations
    assert recipe.drawing.temperature == 0.6
    assert (recipe.objective.clip_low, recipe.objective.clip_high) == (0.2, 0.28)
    assert recipe.objective.kl_coefficient == recipe.objective.entropy_coefficient == 0
    optimiser = recipe.optimiser
    assert (optimiser.learning_rate, optimiser.weight_decay) == (1e-6, 0.01)
    assert (optimiser.beta1, optimiser.beta2, optimiser.max_gradient_norm) == (0.9, 0.999, 1.0)


def test_recipes_are_plain_toml_with_no_key_twice() -> None:
    folder = Path(read_recipe.__code__.co_filename).parent / "recipes"
    for name in shipped_recipes():
        assert tomllib.loads((folder / name).read_text(encoding="utf-8"))


def test_only_the_difficulties_that_a_recipe_names_are_asked_and_evaluated_on() -> None:
    train, heldout = problems_of(read_recipe("learn.toml"))
    assert {problem.difficulty for problem in (*train, *heldout)} == {"easy"}
    assert not {problem.kind for problem in train} & {problem.kind for problem in heldout}
    every, _ = problems_of(read_recipe("learn.toml", ["data.difficulties=[]"]))
    shares = [sum(one.difficulty == name for one in every) for name in ("easy", "medium", "hard")]
    assert min(shares) > len(every) / 4
    with pytest.raises(DatasetInvalid, match="the data set has easy, hard, medium"):
        problems_of(read_recipe("learn.toml", ['data.difficulties=["trivial"]']))
