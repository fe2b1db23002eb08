"""The swap's and the adapters' hands on vLLM: AsyncLLM's own calls, in our words."""

from collections.abc import Callable
from typing import Any

from server.errors import UpdateFailed
from server.weight_folder import VerifiedFolder


class VllmSwap:
    """A running AsyncLLM as a `SwappableEngine`. end: ends this process."""

    def __init__(self, engine: Any, end: Callable[[], None]) -> None:
        self._engine = engine
        self._end = end

    async def pause(self) -> None:
        await self._engine.pause_generation(mode="keep", clear_cache=True)

    async def transfer(self, folder: VerifiedFolder) -> None:
        await self._on_every_rank("codeloop_load", str(folder.path), list(folder.files))

    async def probe(self) -> None:
        await self._on_every_rank("codeloop_probe")

    async def _on_every_rank(self, method: str, *arguments: object) -> None:
        """Of `engine_worker.WorkerExtension`. Raises UpdateFailed with the words of the first."""
        replies = await self._engine.collective_rpc(method, args=arguments)
        if faults := [reply for reply in replies if reply]:
            raise UpdateFailed(faults[0])

    async def set_version(self, version: str) -> None:
        await self._engine.update_weight_version(version)

    async def resume(self) -> None:
        await self._engine.resume_generation()

    def give_up(self) -> None:
        self._end()


class VllmAdapters:
    """LoRA adapters of a running vLLM. make_load, make_unload: its request types."""

    def __init__(
        self, models: Any, make_load: Callable[..., Any], make_unload: Callable[..., Any]
    ) -> None:
        self._models = models
        self._make_load = make_load
        self._make_unload = make_unload

    async def load(self, name: str, folder: VerifiedFolder) -> None:
        """Raises UpdateFailed with the engine's words."""
        request = self._make_load(lora_name=name, lora_path=str(folder.path))
        _need_success(await self._models.load_lora_adapter(request))

    async def unload(self, name: str) -> None:
        """Raises UpdateFailed with the engine's words."""
        number = self._models.lora_requests[name].lora_int_id
        _need_success(await self._models.unload_lora_adapter(self._make_unload(lora_name=name)))
        # vLLM forgets the name only; the weights would keep their place.
        await self._models.engine_client.remove_lora(number)

    def find(self, name: str) -> Any:
        """vLLM's own handle on an adapter; None for another name."""
        return self._models.lora_requests.get(name)


def _need_success(answer: Any) -> None:
    if not isinstance(answer, str):
        raise UpdateFailed(f"the engine did not take the adapter: {answer.error.message}")
