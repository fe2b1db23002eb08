"""Any provider that litellm knows, named provider/model. The one file that imports litellm.

The caller sets LITELLM_LOCAL_MODEL_COST_MAP=True in the process's environment first: without it the
import fetches a list of prices from the network. Keys are taken from the provider's own variables, or
from `key`.
"""

import asyncio
import datetime as dt
import time
from types import ModuleType
from typing import Any

from evaluator.completer import Completion, Sampling
from evaluator.errors import AccessRefused, RequestRefused, UsageRefused
from evaluator.prompt import Chat, Infill, Prompt
from evaluator.retry import (
    NEVER_ANSWERS,
    RETRIED,
    AskAgain,
    Patience,
    Retrying,
    retry_after_seconds,
)

_SHOWN = 300
_HOPELESS = ("LLM Provider NOT provided", "Missing credentials")
"""What litellm says, under a status of the server's fault, about a call that never left."""


class LitellmCompleter:
    """One model of one provider. base_url: of another endpoint than the provider's own."""

    def __init__(
        self,
        model: str,
        *,
        key: str = "",
        base_url: str = "",
        answer_seconds: float = 900.0,
        patience: Patience | None = None,
    ) -> None:
        """answer_seconds: the longest that a whole answer may take."""
        self.model = model
        self._options: dict[str, Any] = {"model": model, "timeout": answer_seconds}
        self._options |= {"api_key": key} if key else {}
        self._options |= {"api_base": base_url} if base_url else {}
        self._answer_seconds = answer_seconds
        self._retrying = Retrying(model, patience or Patience())
        self._litellm: Any = None  # the module
        self._connections: Any = None

    async def complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """One completion. Raises EndpointFailed, or its kinds RequestRefused and AccessRefused."""
        (answer, seconds), num_retries = await self._retrying.until_answered(
            lambda: self._ask(prompt, sampling)
        )
        choice, usage = answer.choices[0], getattr(answer, "usage", None)
        said = choice.message if isinstance(prompt, Chat) else choice
        text = said.content if isinstance(prompt, Chat) else choice.text
        reasoning = getattr(said, "reasoning_content", None) or getattr(said, "reasoning", None)
        return Completion(
            text=text or "",
            reasoning=reasoning or "",
            finish_reason=str(choice.finish_reason or ""),
            prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
            completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
            latency_seconds=seconds,
            num_retries=num_retries,
            cost=self._cost(answer),
            model_version=str(getattr(answer, "system_fingerprint", None) or ""),
        )

    async def _ask(self, prompt: Prompt, sampling: Sampling) -> tuple[Any, float]:
        litellm = await self._module()
        began_seconds = time.monotonic()
        try:
            async with asyncio.timeout(self._answer_seconds):
                answer = await self._called(litellm, prompt, sampling)
        except TimeoutError as error:
            raise AskAgain(f"nothing for {self._answer_seconds:g} s") from error
        except Exception as error:
            raise self._translated(error) from error
        if not answer.choices:
            raise AskAgain("an answer without choices")
        return answer, time.monotonic() - began_seconds

    async def _called(self, litellm: ModuleType, prompt: Prompt, sampling: Sampling) -> Any:
        options = self._options | {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": True,  # some providers take neither a seed nor a top_p beside 0
        }
        stop = (*sampling.stop, *(() if isinstance(prompt, Chat) else prompt.stop))
        options |= {"stop": list(dict.fromkeys(stop))} if stop else {}
        options |= {"seed": sampling.seed} if sampling.seed is not None else {}
        if isinstance(prompt, Chat):
            turns = [{"role": m.role, "content": m.content} for m in prompt.messages]
            return await litellm.acompletion(messages=turns, **options)
        if isinstance(prompt, Infill):
            return await litellm.atext_completion(
                prompt=prompt.prefix, suffix=prompt.suffix, **options
            )
        return await litellm.atext_completion(prompt=prompt.text, **options)

    def _translated(self, error: Exception) -> Exception:
        status = getattr(error, "status_code", None)
        said = " ".join(str(error).split())[:_SHOWN]
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        is_hopeless = status in NEVER_ANSWERS or any(words in said for words in _HOPELESS)
        if not is_hopeless and (not isinstance(status, int) or status in RETRIED):
            now = dt.datetime.now(dt.UTC)
            after = retry_after_seconds(headers.get("retry-after"), now=now)
            return AskAgain(f"{type(error).__name__}: {said}", after_seconds=after)
        if is_hopeless:
            return AccessRefused(
                f"{self.model} answered with status {status}: {said}; check --model and the key, in"
                " CODELOOP_KEY or in the provider's own variable"
            )
        return RequestRefused(f"{self.model} refused the request with status {status}: {said}")

    def _cost(self, answer: Any) -> float | None:
        assert self._litellm is not None
        try:
            return float(self._litellm.completion_cost(answer, model=self.model))
        except Exception:  # noqa: BLE001 - a model without a price; what it raises differs
            return None

    async def _module(self) -> Any:
        """litellm, imported in a thread: that takes seconds."""
        if self._litellm is None:
            self._litellm = await asyncio.to_thread(_imported)
        if self._litellm.aclient_session is None:
            # Without one that is everybody's, litellm opens new connections for each completion of
            # text and closes none.
            from litellm.llms.openai.common_utils import BaseOpenAILLM

            self._connections = BaseOpenAILLM.get_async_http_client()
            self._litellm.aclient_session = self._connections
        return self._litellm

    async def identify(self) -> dict[str, str]:
        """The model's name; providers do not tell which weights they serve."""
        litellm = await self._module()
        version = str(getattr(litellm, "version", "") or "")
        found = {"client": "litellm", "model": self.model, "litellm": version}
        if base_url := self._options.get("api_base"):
            found["url"] = base_url
        return {name: value for name, value in found.items() if value}

    async def close(self) -> None:
        """Let go of the connections."""
        if self._litellm is None:
            return
        await self._litellm.close_litellm_async_clients()
        if self._connections is not None:
            self._litellm.aclient_session = None
            # litellm keeps the clients that use them for minutes, and would give them out again.
            kept = self._litellm.in_memory_llm_clients_cache
            for key, client in list(kept.cache_dict.items()):
                if getattr(client, "_client", None) is self._connections:
                    kept.delete_cache(key)
            await self._connections.aclose()
            self._connections = None


def _imported() -> ModuleType:
    try:
        import litellm
    except ImportError as error:
        raise UsageRefused(
            f"--model names a provider, which needs litellm ({error}): install the extra"
            " `evaluate`, or name a server by its URL"
        ) from error
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    return litellm
