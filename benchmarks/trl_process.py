"""Program for TRL's environment: GRPOTrainer's loss, backward and optimiser on a ready batch.

TRL_PYTHON -m benchmarks.trl_process MODEL BATCH
"""

# Its imports are of another environment.

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset

NUM_STEPS = 3


def main(model: Path, batch: Path) -> None:
    """Steps on the batch."""
    told = json.loads(batch.read_text())
    with tempfile.TemporaryDirectory() as folder:
        trainer = trl.GRPOTrainer(
            model=str(model),
            args=trl.GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=8,
                num_generations=8,
                temperature=0.7,
                epsilon_high=0.28,
                beta=0.0,
                loss_type="dapo",
                bf16=True,
                use_cpu=True,
                report_to="none",
                gradient_checkpointing=told["checkpointing"],
                learning_rate=1e-6,
                model_init_kwargs={"dtype": "float32"},
            ),
            processing_class=transformers.AutoTokenizer.from_pretrained(model),
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            train_dataset=Dataset.from_dict({"prompt": ["x"] * 8}),
        )
        run(trainer, micro_batches(told))


def run(trainer: Any, batches: list[dict[str, Any]]) -> None:
    """Time steps and print the quickest but the first."""
    trainer.current_gradient_accumulation_steps = 1
    network = trainer.accelerator.prepare_model(trainer.model)
    network.train()
    if trainer.args.gradient_checkpointing:
        trainer.model.gradient_checkpointing_enable({"use_reentrant": False})
    optimiser = trainer.create_optimizer()
    steps = []
    for _ in range(NUM_STEPS):
        wall, cpu = time.monotonic(), time.process_time()
        for inputs in batches:
            trainer._compute_loss(network, inputs).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        steps.append((time.monotonic() - wall, time.process_time() - cpu))
    seconds, cpu_seconds = min(steps[1:])
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()}))


def micro_batches(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Prompts padded on the left and answers on the right, as TRL lays them out."""
    rows = [
        (prompt, answer, (-1.0) ** place)
        for prompt, answers in told["groups"]
        for place, answer in enumerate(answers)
    ]
    num_items = torch.tensor(sum(len(answer) for _, answer, _ in rows))
    return [
        inputs_of(rows[start : start + told["rows"]], num_items)
        for start in range(0, len(rows), told["rows"])
    ]


def inputs_of(rows: list[Any], num_items: torch.Tensor) -> dict[str, Any]:
    """One micro-batch."""
    num_prompt = max(len(prompt) for prompt, _, _ in rows)
    num_answer = max(len(answer) for _, answer, _ in rows)
    left = [[0] * (num_prompt - len(prompt)) + prompt for prompt, _, _ in rows]
    right = [answer + [0] * (num_answer - len(answer)) for _, answer, _ in rows]
    return {
        "prompt_ids": torch.tensor(left),
        "prompt_mask": torch.tensor(
            [[0] * (num_prompt - len(prompt)) + [1] * len(prompt) for prompt, _, _ in rows]
        ),
        "completion_ids": torch.tensor(right),
        "completion_mask": torch.tensor(
            [[1] * len(answer) + [0] * (num_answer - len(answer)) for _, answer, _ in rows]
        ),
        "advantages": torch.tensor([advantage for _, _, advantage in rows]),
        "old_per_token_logps": torch.full((len(rows), num_answer), -2.0),
        "num_items_in_batch": num_items,
    }


def peak_bytes() -> int:
    """The most that this process had resident."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
