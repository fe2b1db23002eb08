"""The endpoint that a run asks, from what the command line says of it."""

import os

from evaluator.completer import Completer
from evaluator.errors import UsageRefused
from evaluator.retry import Patience


def completer_of(
    model: str, *, name: str, key: str, lane: str, patience_seconds: float, streams: bool
) -> Completer:
    """The thin client for a URL, litellm for PROVIDER/MODEL. Raises UsageRefused for neither."""
    patience = Patience(seconds=patience_seconds)
    if model.startswith(("http://", "https://")):
        from evaluator.http_completer import HttpCompleter

        return HttpCompleter(
            model, model=name, key=key, lane=lane, streams=streams, patience=patience
        )
    if "/" not in model:
        raise UsageRefused(
            f"--model {model!r} is neither a URL nor PROVIDER/MODEL: name one such as"
            " http://127.0.0.1:8000/v1 or openai/gpt-4o"
        )
    if name or lane:
        raise UsageRefused(
            "--model-name and --lane go with a URL: a provider's model is named whole, such as"
            " openai/gpt-4o"
        )
    # Else its import fetches a list of prices from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from evaluator.litellm_completer import LitellmCompleter

    return LitellmCompleter(model, key=key, patience=patience)
