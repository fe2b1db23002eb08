"""Answers drawn row by row with a key-value cache, each bit for bit the same whatever is drawn beside it.

Three things make it so. Every prompt is read by itself. Every decoding step runs on the same number of
rows, with idle ones filled up, so that each product of matrices has one shape and a row's result does
not depend on which row it is; a row's cache begins at its own position 0 and all of its columns are read
each time, masked beyond the row's own: fewer of them add the same zeros in another order of sums, and
differ in the last bit. And the random numbers of a sample are its seed's alone: token t is where the t-th
uniform number falls in the cumulated distribution.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from trainer.rollout import Answer, Drawing, GroupRequest

_TAIL_TOKENS = 4
"""Tokens decoded before a stop string may begin: a token may end within a character."""


@dataclass(frozen=True, kw_only=True)
class FinishedAnswer:
    """An answer and whose it is: place of its request among those asked for, place of its seed."""

    request: int
    sample: int
    answer: Answer


@dataclass(kw_only=True)
class _Row:
    """One answer being drawn."""

    request: int
    sample: int
    num_prompt_tokens: int
    uniforms: Any
    stop: tuple[str, ...]
    token_ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)

    @property
    def position(self) -> int:
        """Of the newest token, whose keys are not in the cache yet."""
        return self.num_prompt_tokens + len(self.token_ids) - 1


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **more: Any
) -> tuple[Tensor, None]:
    """Attention of one new token a row: query heads that share keys are taken for queries of one head.

    transformers copies the keys for each of them instead, which took longer than all the rest.
    """
    num_rows, num_heads, num_queries, width = query.shape
    if num_queries > 1:
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, mask, **more)
        return found
    grouped = query.view(num_rows, key.shape[1], num_heads // key.shape[1], width)
    attended = torch.nn.functional.scaled_dot_product_attention(
        grouped, key, value, attn_mask=mask, scale=more.get("scaling")
    )
    return attended.reshape(num_rows, 1, num_heads, width), None


_ATTENTION = "codeloop_rows"
AttentionInterface.register(_ATTENTION, _attend)
AttentionMaskInterface.register(_ATTENTION, sdpa_mask)


class LocalRows:
    """A model and a fixed number of rows that draw at the same time."""

    def __init__(self, model: Any, tokenizer: Any, *, num_rows: int, num_columns: int) -> None:
        self._model, self._tokenizer, self._num_rows = model, tokenizer, num_rows
        self._cache = _RowCache(num_rows, num_columns, model.config.num_hidden_layers)
        self._end_ids = _end_ids(model)
        model.set_attn_implementation(_ATTENTION)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def draw(
        self,
        requests: Sequence[GroupRequest],
        drawing: Drawing,
        version: int,
        is_left: Callable[[], bool] = lambda: False,
    ) -> Iterator[FinishedAnswer]:
        """Answers as they end. A prompt and its answer must fit the columns.

        is_left: asked before each token; once it says so, nothing more is drawn.
        """
        waiting = self._prefilled(requests, drawing)
        rows: list[_Row | None] = [None] * self._num_rows
        is_more = True
        while (is_more or any(rows)) and not is_left():
            for place in range(self._num_rows):
                while is_more and rows[place] is None:
                    first = next(waiting, None)
                    is_more = first is not None
                    if first is not None:
                        row, prompt_cache, logits_V = first
                        self._cache.fill(place, prompt_cache)
                        self._append(row, logits_V[None], drawing)
                        answer = self._ended(row, drawing, version)
                        if answer is None:
                            rows[place] = row
                        else:
                            yield answer
            if any(rows):
                self._step(rows, drawing)
                for place, one in enumerate(rows):
                    answer = None if one is None else self._ended(one, drawing, version)
                    if answer is not None:
                        rows[place] = None
                        yield answer

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def log_probs(
        self, prompt_ids: Sequence[int], answer_ids: Sequence[int], temperature: float
    ) -> tuple[float, ...]:
        """Of an answer's tokens after the prompt."""
        ids = torch.tensor([[*prompt_ids, *answer_ids]])
        logits_TV = self._model(input_ids=ids, use_cache=False).logits[0, len(prompt_ids) - 1 : -1]
        log_TV = torch.log_softmax(logits_TV.double() / (temperature or 1.0), dim=-1)
        picked = log_TV.gather(1, torch.tensor(answer_ids)[:, None])[:, 0]
        return tuple(picked.tolist())

    def _prefilled(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> Iterator[tuple[_Row, Any, Tensor]]:
        for place, request in enumerate(requests):
            read = self._model(
                input_ids=torch.tensor([request.prompt_ids]),
                past_key_values=DynamicCache(),
                use_cache=True,
                logits_to_keep=1,
            )
            logits_V = read.logits[0, -1].float()
            for sample, seed in enumerate(request.seeds):
                row = _Row(
                    request=place,
                    sample=sample,
                    num_prompt_tokens=len(request.prompt_ids),
                    uniforms=np.random.Generator(np.random.Philox(seed)),
                    stop=drawing.stop + request.stop,
                )
                yield row, read.past_key_values, logits_V

    def _step(self, rows: Sequence[_Row | None], drawing: Drawing) -> None:
        """One more token for every row that is drawing."""
        ids = [row.token_ids[-1] if row else 0 for row in rows]
        positions = torch.tensor([row.position if row else 0 for row in rows])
        self._cache.turn_to(positions)
        logits_RV = self._model(
            input_ids=torch.tensor(ids)[:, None],
            position_ids=positions[:, None],
            attention_mask=self._cache.mask,
            past_key_values=self._cache.as_cache(),
            use_cache=True,
        ).logits[:, -1]
        self._append_all(rows, logits_RV.float(), drawing)

    def _append(self, row: _Row, logits_RV: Tensor, drawing: Drawing) -> None:
        self._append_all([row], logits_RV, drawing)

    def _append_all(self, rows: Sequence[_Row | None], logits_RV: Tensor, drawing: Drawing) -> None:
        log_RV = torch.log_softmax(logits_RV / (drawing.temperature or 1.0), dim=-1)
        if drawing.temperature:
            uniforms = [row.uniforms.random() if row else 0.0 for row in rows]
            cumulated_RV = log_RV.double().exp_().cumsum(dim=-1)
            # Rounding leaves the last sum beside 1; scaled by it, no number falls past the end.
            marks_RK = torch.tensor(uniforms, dtype=torch.float64)[:, None] * cumulated_RV[:, -1:]
            chosen_RK = torch.searchsorted(cumulated_RV, marks_RK, right=True)
            chosen_RK.clamp_(max=log_RV.shape[1] - 1)
        else:
            chosen_RK = logits_RV.argmax(dim=-1, keepdim=True)
        picked = log_RV.gather(1, chosen_RK)[:, 0].tolist()
        for row, token, log_prob in zip(rows, chosen_RK[:, 0].tolist(), picked, strict=True):
            if row is not None:
                row.token_ids.append(token)
                row.log_probs.append(log_prob)

    def _ended(self, row: _Row, drawing: Drawing, version: int) -> FinishedAnswer | None:
        """The finished answer, or None if it goes on."""
        is_ended = row.token_ids[-1] in self._end_ids
        is_stopped = not is_ended and self._has_stop(row)
        is_cut = not (is_ended or is_stopped) and len(row.token_ids) >= drawing.max_new_tokens
        if not (is_ended or is_stopped or is_cut):
            return None
        text = self._tokenizer.decode(row.token_ids, skip_special_tokens=True)
        if is_stopped:
            text = text[: min(place for stop in row.stop if (place := text.find(stop)) >= 0)]
        answer = Answer(
            token_ids=tuple(row.token_ids),
            log_probs=tuple(row.log_probs),
            policy_versions=(version,) * len(row.token_ids),
            text=text,
            is_cut=is_cut,
        )
        return FinishedAnswer(request=row.request, sample=row.sample, answer=answer)

    def _has_stop(self, row: _Row) -> bool:
        if not row.stop:
            return False
        # No token is shorter than a byte, so the stop that a token ends lies within so many.
        num_tokens = max(len(stop.encode()) for stop in row.stop) + _TAIL_TOKENS
        tail = self._tokenizer.decode(row.token_ids[-num_tokens:], skip_special_tokens=True)
        if not any(stop in tail for stop in row.stop):
            return False
        # The tail alone may read otherwise than it does at its place.
        whole = self._tokenizer.decode(row.token_ids, skip_special_tokens=True)
        return any(stop in whole for stop in row.stop)


class _RowCache:
    """Keys and values of every row, each from its own column 0."""

    def __init__(self, num_rows: int, num_columns: int, num_layers: int) -> None:
        self._columns_C = torch.arange(num_columns)
        self._layers = [_RowLayer(num_rows, num_columns) for _ in range(num_layers)]
        self.mask: Tensor | None = None

    def fill(self, place: int, prompt: Any) -> None:
        """Take over what a prompt's reading left in its cache."""
        for ours, theirs in zip(self._layers, prompt.layers, strict=True):
            ours.fill(place, theirs.keys, theirs.values)

    def turn_to(self, positions_R: Tensor) -> None:
        """Write next at these columns, and look at those up to them."""
        self.mask = (self._columns_C[None] <= positions_R[:, None])[:, None, None]
        for layer in self._layers:
            layer.positions_R = positions_R

    def as_cache(self) -> Any:
        """What a model takes for its past."""
        return Cache(layers=list(self._layers))


class _RowLayer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's share."""

    is_sliding = False

    def __init__(self, num_rows: int, num_columns: int) -> None:
        super().__init__()
        self._num_columns = num_columns
        self._rows = torch.arange(num_rows)
        self.positions_R = torch.zeros(num_rows, dtype=torch.long)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        def room(states: Tensor) -> Tensor:
            _, num_heads, _, width = states.shape
            return states.new_zeros(len(self._rows), num_heads, self._num_columns, width)

        self.keys, self.values = room(key_states), room(value_states)
        self.is_initialized = True

    def fill(self, place: int, keys: Tensor, values: Tensor) -> None:
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        num_tokens = keys.shape[2]
        self.keys[place, :, :num_tokens] = keys[0]
        self.values[place, :, :num_tokens] = values[0]

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        self.keys[self._rows, :, self.positions_R] = key_states[:, :, 0]
        self.values[self._rows, :, self.positions_R] = value_states[:, :, 0]
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._num_columns, 0

    def get_seq_length(self) -> int:
        return self._num_columns

    def get_max_length(self) -> int:
        return self._num_columns


def _end_ids(model: Any) -> frozenset[int]:
    """Tokens that end an answer, as the model's folder names them."""
    found = model.generation_config.eos_token_id or model.config.eos_token_id
    return frozenset(found if isinstance(found, list) else [] if found is None else [found])
