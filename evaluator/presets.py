"""Ways to draw samples that others published, by name.

greedy         temperature 0, one sample: EvalPlus' and human-eval's greedy decoding
deepcoder      0.6 / 0.95, 64K tokens, no system prompt: README of agentica-project/rllm, the settings
               of DeepCoder-14B-Preview's published scores; vendors of R1 distillates ask the same
livecodebench  10 samples, 0.2 / 0.95, 2000 tokens: the defaults of LiveCodeBench's runner, behind its
               published leaderboard
human-eval     200 samples, 0.8 / 0.95, 512 tokens: pass@100 of "Evaluating Large Language Models
               Trained on Code" (arXiv:2107.03374), section 3.3
multipl-e      20 samples, 0.2 / 0.95, 512 tokens: MultiPL-E's pass@1 (arXiv:2208.08227)
aime           16 samples, 0.6 / 0.95, 64K tokens, no system prompt: as deepcoder, with as many samples
               as rllm's own figures average over
"""

from dataclasses import dataclass

from evaluator.errors import UsageRefused


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One way to draw. num_samples: None leaves it to the suite. system_prompt: whether one is sent
    apart; else its text leads the user's turn.
    """

    temperature: float
    top_p: float = 1.0
    max_tokens: int = 2048
    num_samples: int | None = None
    system_prompt: bool = True


PRESETS: dict[str, Preset] = {
    "greedy": Preset(temperature=0.0, num_samples=1),
    "deepcoder": Preset(temperature=0.6, top_p=0.95, max_tokens=65536, system_prompt=False),
    "livecodebench": Preset(temperature=0.2, top_p=0.95, max_tokens=2000, num_samples=10),
    "human-eval": Preset(temperature=0.8, top_p=0.95, max_tokens=512, num_samples=200),
    "multipl-e": Preset(temperature=0.2, top_p=0.95, max_tokens=512, num_samples=20),
    "aime": Preset(
        temperature=0.6, top_p=0.95, max_tokens=65536, num_samples=16, system_prompt=False
    ),
}


def preset(name: str) -> Preset:
    """The preset of a name. Raises UsageRefused."""
    try:
        return PRESETS[name]
    except KeyError:
        raise UsageRefused(f"--preset {name!r} is none: there are {', '.join(PRESETS)}") from None
