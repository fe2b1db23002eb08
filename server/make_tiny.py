"""Program: a tiny random model with a window of 65536 tokens, for tests and benchmarks.

    python -m server.make_tiny DESTINATION

3.2 million parameters of a fixed seed: Qwen2 with one head, an untied output layer, SmolLM2's
tokenizer with the tokens for reasoning and for filling in the middle added. It answers noise at
thousands of tokens a second on a CPU.
"""

import sys
from pathlib import Path

from server.make_smollm2 import find_gguf, need_libraries, save_tokenizer

SEED = 0
CONTEXT_TOKENS = 65536
ADDED_TOKENS = ("<think>", "</think>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
VOCABULARY_MULTIPLE = 64


def main(destination: Path) -> None:
    """Write the folder."""
    need_libraries()
    gguf = find_gguf()
    import torch
    from transformers import AddedToken, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.add_tokens(
        [AddedToken(token, special=False, normalized=False) for token in ADDED_TOKENS]
    )
    rounded = -(-len(tokenizer) // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    config = Qwen2Config(
        vocab_size=rounded,
        hidden_size=32,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )
    torch.manual_seed(SEED)
    model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(destination)
    save_tokenizer(tokenizer, destination, context_tokens=CONTEXT_TOKENS)
    # For a Qwen2 model transformers 5 cuts text by Qwen2's rules, whatever tokenizer.json says; what
    # it loads is written again, so that every reader of the file finds the same tokens.
    loaded = AutoTokenizer.from_pretrained(destination)
    save_tokenizer(loaded, destination, context_tokens=CONTEXT_TOKENS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
