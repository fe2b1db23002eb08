"""Makes trl.json: TRL's losses and gradients on one hand-built batch. Run it where trl is installed.

    python make_trl.py > trl.json        # trl 1.16.0, transformers 5.19.0, torch 2.13.0+cpu

A two-line model of transformers in float64, whose parameters come from a formula, goes through
GRPOTrainer: `_generate` is replaced by the hand-built answers, so that advantages, masks and item
counts are TRL's own; then `_compute_loss` and backward. Three prompts, four answers each: a group with
a truncated answer, a group whose rewards are all equal, a group with one right. The old log-probs lie
around the current ones so that tokens of both signs are clipped, and others are not.
"""

# mypy: ignore-errors
# Its imports are of another environment.

import json
import sys
import tempfile

import torch
import transformers
import trl
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers

END = 1
CONFIG = {
    "vocab_size": 16, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": False,
    "max_position_embeddings": 32,
}  # fmt: skip
PROMPTS = [[5, 6, 7], [8, 9], [10, 11, 12, 13]]
ANSWERS = [
    [3, 4, END], [7, 2, 9, 6, 5], [4, END], [14, 3, 8, END],
    [2, END], [6, 6, END], [12, 4, END], [9, 15, 2, END],
    [11, 13, 2, END], [5, END], [10, 3, 4, 7, END], [2, 9, END],
]  # fmt: skip
REWARDS = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]
LIMIT = 5  # the second answer is truncated: it does not end in END
TEMPERATURE = 0.6
CASES = {
    "dapo": {},
    "bnpo": {"loss_type": "bnpo"},
    "grpo": {"loss_type": "grpo"},
    "dr_grpo": {"loss_type": "dr_grpo", "scale_rewards": "none"},
    "mask_truncated": {"mask_truncated_completions": True},
    "kl": {"beta": 0.1, "use_bias_correction_kl": False},
    "entropy": {"entropy_coef": 0.05},
    "truncated_token": {},
}


def parameters_by_formula(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            steps = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_((0.6 * torch.sin(0.7 * steps * (index + 1) + index)).view_as(parameter))


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = {f"w{number}": number for number in range(16)}
    plain = Tokenizer(models.WordLevel(vocab=words, unk_token="w2"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="w0", eos_token=f"w{END}"
    )


class HandBuilt(trl.GRPOTrainer):
    def _generate(self, prompts):
        prompt_ids = [ids for ids in PROMPTS for _ in range(4)]
        texts = [" ".join(f"w{token}" for token in answer) for answer in ANSWERS]
        return prompt_ids, [list(answer) for answer in ANSWERS], None, texts, None, {}, None, []


def trainer_of(settings: dict, folder: str) -> HandBuilt:
    model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**CONFIG))
    model.double()
    parameters_by_formula(model)
    # The trainer reads the model's config again, from where its name says.
    model.save_pretrained(folder)
    model.config._name_or_path = folder
    arguments = {
        "output_dir": folder, "per_device_train_batch_size": 12, "num_generations": 4,
        "max_completion_length": LIMIT, "temperature": TEMPERATURE, "epsilon": 0.2,
        "epsilon_high": 0.28, "beta": 0.0, "loss_type": "dapo", "bf16": False, "use_cpu": True,
        "report_to": "none", "gradient_checkpointing": False,
    }  # fmt: skip
    return HandBuilt(
        model=model,
        args=trl.GRPOConfig(**(arguments | settings)),
        processing_class=tokenizer(),
        reward_funcs=lambda completions, **_: list(REWARDS),
        train_dataset=Dataset.from_dict({"prompt": ["w5"] * 3}),
    )


def rows(values_BT: torch.Tensor, lengths: list[int]) -> list[list[float]]:
    return [values[:length].tolist() for values, length in zip(values_BT, lengths, strict=True)]


def run(name: str, settings: dict, folder: str) -> dict:
    trainer = trainer_of(settings, folder)
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()
    inputs = trainer._generate_and_score_completions([{"prompt": "w5"} for _ in range(12)])
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    lengths = [len(answer) for answer in ANSWERS]
    real_mask = torch.tensor([[t < length for t in range(LIMIT)] for length in lengths]).long()
    attention = torch.cat([inputs["prompt_mask"], real_mask], dim=1)
    with torch.no_grad():
        current, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, attention, LIMIT
        )
    places = torch.arange(current.numel(), dtype=torch.float64).view_as(current)
    old = current + 0.45 * torch.sin(1.7 * places)
    reference = current + 0.30 * torch.sin(2.3 * places + 1)
    sampling = old + 0.90 * torch.sin(0.9 * places + 2)
    inputs["old_per_token_logps"] = old
    if "beta" in settings:
        inputs["ref_per_token_logps"] = reference
    if name == "truncated_token":
        # TRL's own lines for this need vLLM; this is token_truncate with clip_max 2.0.
        trainer.use_vllm = True
        inputs["importance_sampling_ratio"] = torch.exp(old - sampling).clamp(max=2.0)
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    metrics = {key: values[-1] for key, values in trainer._metrics["train"].items()}
    shown = ("clip_ratio/low_mean", "clip_ratio/high_mean", "entropy", "kl")
    return {
        "settings": settings,
        "advantages": inputs["advantages"].tolist(),
        "num_items": int(inputs["num_items_in_batch"]),
        "old": rows(old, lengths),
        "reference": rows(reference, lengths),
        "sampling": rows(sampling, lengths),
        "loss": loss.item(),
        "metrics": {key: metrics[key] for key in shown if key in metrics},
        "gradients": {
            parameter: [float(f"{value:.9e}") for value in tensor.grad.flatten().tolist()]
            for parameter, tensor in trainer.model.named_parameters()
        },
    }


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cases = {name: run(name, settings, folder) for name, settings in CASES.items()}
    shared = ("old", "reference", "sampling")
    batch = {key: cases["dapo"][key] for key in shared}
    for case in cases.values():
        for key in shared:
            del case[key]
    golden = {
        "made_with": {"trl": trl.__version__, "transformers": transformers.__version__},
        "config": CONFIG, "prompts": PROMPTS, "answers": ANSWERS, "rewards": REWARDS,
        "limit": LIMIT, "end": END, "temperature": TEMPERATURE, **batch, "cases": cases,
    }  # fmt: skip
    json.dump(golden, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
