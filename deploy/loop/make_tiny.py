"""Program: the folder of a loop that takes a minute and learns nothing, for tests and benchmarks.

    python -m deploy.loop.make_tiny FOLDER [KEY=VALUE ...]

Everything is real but the engines, which play a script: the trainer trains a random model of one layer on
programs that pass by luck. Then: codeloop --config FOLDER/codeloop.toml --home FOLDER/home loop
FOLDER/run.toml. A KEY=VALUE is a line of run.toml before its tables, such as rounds=3;
without one, it goes on until it is stopped.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from evaluator.problem import CallTask, Problem
from evaluator.prompt import Message
from trainer.dataset.folder import write_dataset
from trainer.dataset.problem import TrainingProblem

CONTEXT_TOKENS = 1024
MODEL, SAMPLER = "served", "policy"

_SERVER = """\
[server]
port = 0
drain_seconds = 5.0

[[server.models]]
name = "served"
engine = "scripted"
script = "{folder}/script.toml"

[[server.models]]
name = "policy"
engine = "scripted"
script = "{folder}/script.toml"
role = "sampler"
"""
_SCRIPT = """\
weights = "{folder}/base"
text = " hello"
num_tokens = 8
tokens_per_second = 100.0
"""
_RECIPE = """\
name = "tiny"

[model]
source = "{folder}/base"
compute = "float32"

[data]
train = "{folder}/train"

[drawing]
temperature = 1.0
max_new_tokens = 48
max_prompt_tokens = 900

[batch]
prompts = 8
samples = 4

[objective]
overlong = "off"

[optimiser]
learning_rate = 1e-2
tokens_per_micro_batch = 2048

[probe]
prompts = 0

[publish]
probes = 0

[limits]
iterations = 1
dead_iterations = 1000
"""
_RUN = """\
name = "tiny"
model = "served"
sampler = "policy"
recipe = "recipe.toml"
iterations = 1
{changes}

[heldout]
data = "{folder}/heldout"
samples = 1
max_tokens = 8

[gate.suites.short-functions-held-out]
margin = 0.9

[canary]
share = 0.5
requests = 5
most_seconds = 5.0

[traffic]
users = 2
pause_seconds = 0.2
"""


def make(folder: Path, changes: Sequence[str] = ()) -> None:
    """Write it all."""
    folder = folder.resolve()
    folder.mkdir(parents=True)
    _make_model(folder / "base")
    write_dataset(folder / "train", _problems("train", 8), (), {})
    write_dataset(folder / "heldout", _problems("heldout", 6), (), {})
    texts = {
        "codeloop.toml": _SERVER,
        "script.toml": _SCRIPT,
        "recipe.toml": _RECIPE,
        "run.toml": _RUN,
    }
    for name, text in texts.items():
        filled = text.format(folder=folder, changes="\n".join(changes))
        (folder / name).write_text(filled, encoding="utf-8")


def _problems(mark: str, count: int) -> list[TrainingProblem]:
    """An answer goes on after a `#`: it passes unless it breaks the line or holds a null byte."""
    return [
        TrainingProblem(
            id=f"{mark}-{number}",
            kind=f"{mark}-{number}",
            source="comments",
            licence="Apache-2.0",
            messages=(Message(role="user", content=f"Add {number}."),),
            answer_head=f"def f(x): return x + {number}  #",
            problem=Problem(
                id=f"{mark}-{number}",
                statement="",
                task=CallTask(function="f", tests=(((1,), 1 + number),), seconds=1.0),
                group=f"{mark}-{number}",
            ),
        )
        for number in range(count)
    ]


def _make_model(folder: Path) -> None:
    """A random Llama of one layer whose tokens are bytes."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    words = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<end>": 0} | {word: place + 1 for place, word in enumerate(words)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    tokenizer.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=CONTEXT_TOKENS,
        eos_token_id=0, bos_token_id=0, pad_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2:])
