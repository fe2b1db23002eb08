"""Chunked log-probs are the plain ones, gradients too, and hold one chunk of logits at a time."""

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from trainer.errors import ObjectiveInvalid
from trainer.log_probs import masked_log_probs, token_log_probs

TOKENS, WIDTH, VOCABULARY = 7, 5, 11
ONE_TOKEN_BYTES = 4 * VOCABULARY


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    hidden = torch.randn(TOKENS, WIDTH, generator=generator, dtype=torch.float64).to(dtype)
    output = torch.randn(VOCABULARY, WIDTH, generator=generator, dtype=torch.float64).to(dtype)
    targets = torch.randint(VOCABULARY, (TOKENS,), generator=generator)
    return hidden.requires_grad_(), output.requires_grad_(), targets


def plain(
    hidden: Tensor, output: Tensor, targets: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    distribution = torch.distributions.Categorical(logits=hidden @ output.t() / temperature)
    return distribution.log_prob(targets), distribution.entropy()


def test_values_and_gradients_are_the_plain_ones_for_every_size_of_chunk() -> None:
    temperature = 0.6
    upstream = torch.linspace(-1, 1, TOKENS, dtype=torch.float64), torch.arange(TOKENS) * 0.1
    hidden, output, targets = inputs()
    expected = plain(hidden, output, targets, temperature)
    torch.autograd.backward(expected, [part.double() for part in upstream])
    assert hidden.grad is not None
    assert output.grad is not None
    expected_gradients = hidden.grad.clone(), output.grad.clone()
    for num_chunk_tokens in (1, 2, 3, 7, 100):
        hidden, output, targets = inputs()
        found = token_log_probs(
            hidden, output, targets,
            temperature=temperature, with_entropy=True,
            chunk_bytes=num_chunk_tokens * ONE_TOKEN_BYTES,
        )  # fmt: skip
        torch.testing.assert_close((found.log_probs_T, found.entropy_T), expected)
        torch.autograd.backward(
            (found.log_probs_T, found.entropy_T), [part.double() for part in upstream]
        )
        torch.testing.assert_close((hidden.grad, output.grad), expected_gradients)


def test_gradients_are_those_of_finite_differences() -> None:
    hidden, output, targets = inputs()
    for with_entropy in (False, True):

        def values(hidden_TD: Tensor, output_VD: Tensor, entropy: bool = with_entropy) -> Tensor:
            found = token_log_probs(
                hidden_TD, output_VD, targets,
                temperature=0.6, with_entropy=entropy, chunk_bytes=3 * ONE_TOKEN_BYTES,
            )  # fmt: skip
            return found.entropy_T if entropy else found.log_probs_T

        assert torch.autograd.gradcheck(values, (hidden, output))


def test_the_temperature_divides_the_logits_and_not_the_log_probs() -> None:
    hidden, output, targets = (part.detach() for part in inputs())
    found = token_log_probs(hidden, output, targets, temperature=0.5).log_probs_T
    hot = token_log_probs(hidden, output, targets, temperature=1.0).log_probs_T
    by_hand = (hidden @ output.t() * 2).log_softmax(dim=1)[torch.arange(TOKENS), targets]
    torch.testing.assert_close(found, by_hand)
    assert (found - hot / 0.5).abs().min() > 1e-3


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ObjectiveInvalid, match="temperature is 0"):
        token_log_probs(*inputs(), temperature=0.0)


def test_no_tensor_of_all_tokens_times_the_vocabulary_is_ever_made() -> None:
    hidden, output, targets = inputs(torch.float32)

    class Largest(TorchDispatchMode):  # type: ignore[misc]
        num_elements = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = func(*args, **(kwargs or {}))
            for part in result if isinstance(result, tuple | list) else (result,):
                if isinstance(part, Tensor):
                    self.num_elements = max(self.num_elements, part.numel())
            return result

    with Largest() as chunked:
        found = token_log_probs(
            hidden, output, targets,
            temperature=1.0, with_entropy=True, chunk_bytes=ONE_TOKEN_BYTES,
        )  # fmt: skip
        assert found.entropy_T is not None
        (found.log_probs_T.sum() + found.entropy_T.sum()).backward()
    assert chunked.num_elements == VOCABULARY * WIDTH < TOKENS * VOCABULARY
    with Largest() as whole:
        plain(hidden, output, targets, 1.0)
    assert whole.num_elements == TOKENS * VOCABULARY


def test_a_frozen_output_layer_gets_no_gradient() -> None:
    hidden, output, targets = inputs()
    output = output.detach()
    token_log_probs(hidden, output, targets, temperature=1.0).log_probs_T.sum().backward()
    assert hidden.grad is not None
    assert output.grad is None


def test_a_bfloat16_model_has_its_softmax_in_float32() -> None:
    hidden, output, targets = inputs(torch.bfloat16)
    found = token_log_probs(hidden, output, targets, temperature=0.6, with_entropy=True)
    logits = (hidden @ output.t()).float() / 0.6
    expected = logits.log_softmax(dim=1)[torch.arange(TOKENS), targets]
    assert found.log_probs_T.dtype == torch.float32
    torch.testing.assert_close(found.log_probs_T, expected)
    found.log_probs_T.sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.dtype == torch.bfloat16


def test_autocast_reaches_the_product_forward_and_backward() -> None:
    hidden, output, targets = inputs(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = token_log_probs(hidden, output, targets, temperature=0.6).log_probs_T
    rounded = hidden.detach().bfloat16(), output.detach().bfloat16()
    expected = token_log_probs(*rounded, targets, temperature=0.6).log_probs_T
    assert torch.equal(found, expected)
    found.sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.dtype == torch.float32


def test_words_that_are_shut_out_leave_entropy_and_gradient_finite() -> None:
    hidden = torch.ones(2, 1, dtype=torch.float64, requires_grad=True)
    output = torch.tensor([[0.3], [-torch.inf], [0.1]], dtype=torch.float64)
    found = token_log_probs(
        hidden, output, torch.tensor([0, 2]), temperature=1.0, with_entropy=True
    )
    two = torch.distributions.Categorical(logits=torch.tensor([0.3, 0.1], dtype=torch.float64))
    torch.testing.assert_close(found.entropy_T, two.entropy().expand(2))
    assert found.log_probs_T.isfinite().all()


def test_only_masked_positions_are_computed() -> None:
    hidden, output, targets = inputs()
    mask_BT = torch.tensor([[False, True, True, False, False, False, True]])
    log_probs_BT, entropy_BT = masked_log_probs(
        hidden[None], output, targets[None], mask_BT, temperature=0.6, with_entropy=True
    )
    expected, expected_entropy = plain(hidden, output, targets, 0.6)
    assert entropy_BT is not None
    torch.testing.assert_close(log_probs_BT[0], torch.where(mask_BT[0], expected, 0.0))
    torch.testing.assert_close(entropy_BT[0], torch.where(mask_BT[0], expected_entropy, 0.0))
    log_probs_BT.sum().backward()
    assert hidden.grad is not None
    assert (hidden.grad[~mask_BT[0]] == 0).all()


def test_a_batch_without_a_trained_token_still_gives_zero_gradients() -> None:
    hidden, output, targets = inputs()
    nothing = torch.zeros(1, TOKENS, dtype=torch.bool)
    log_probs_BT, _ = masked_log_probs(hidden[None], output, targets[None], nothing, temperature=1)
    log_probs_BT.sum().backward()
    assert (hidden.grad == 0).all()
    assert (output.grad == 0).all()
