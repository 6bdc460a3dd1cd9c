"""One GRU layer over time, for both reset variants, differentiable and fast.

Reset "after" is the formulation of nn.GRU, and runs on torch's own fused kernel. Reset "before"
has no kernel in torch; here it is a hand-written autograd function.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


class GRUWeights(NamedTuple):
    """weight_ih [3H, I], weight_hh [3H, H], biases [3H]: rows reset, keep, candidate."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor


def gru_reset_after(x: Tensor, h0: Tensor, weights: GRUWeights) -> Tensor:
    """States [T, B, H] with n_t = tanh(W_n x_t + b_n + r_t ⊙ (U_n h_{t-1} + c_n)).

    x is [T, B, I], h0 [B, H].
    """
    states, _ = torch.gru(
        x, h0.unsqueeze(0), weights, True, 1, 0.0, torch.is_grad_enabled(), False, False
    )
    return states


def gru_reset_before(x: Tensor, h0: Tensor, weights: GRUWeights) -> Tensor:
    """States [T, B, H] with n_t = tanh(W_n x_t + b_n + U_n (r_t ⊙ h_{t-1})), b = both biases.

    x is [T, B, I], h0 [B, H]. Differentiable once in every argument.
    """
    bias = weights.bias_ih + weights.bias_hh
    return _reset_before(x, h0, weights.weight_ih, weights.weight_hh, bias)


class _Saved(Protocol):
    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]


class _ResetBefore(torch.autograd.Function):
    """Only the products with h stay inside the loops; all others are one product over all steps.

    With k = keep, h' = k ⊙ h + (1 − k) ⊙ n and g the gradient at h', back-propagation gives

        ∂n = g (1 − k) (1 − n²)      ∂k = g (h − n) k (1 − k)      both before their activations
        p  = ∂n U_n                  ∂r = p h r (1 − r)
        ∂h = g k + p r + ∂r U_r + ∂k U_k
    """

    @staticmethod
    def forward(ctx: FunctionCtx, *tensors: Tensor) -> Tensor:
        x, h0, weight_ih, weight_hh, bias = tensors
        T, B, _ = x.shape
        H = h0.shape[1]
        gates = torch.addmm(bias[: 2 * H], x.flatten(0, 1), weight_ih[: 2 * H].t())
        candidates = torch.addmm(bias[2 * H :], x.flatten(0, 1), weight_ih[2 * H :].t())
        gates, candidates = gates.view(T, B, 2 * H), candidates.view(T, B, H)
        history = x.new_empty(T + 1, B, H)
        history[0] = h0
        recalled = x.new_empty(T, B, H)
        U_gates, U_candidate = weight_hh[: 2 * H].t(), weight_hh[2 * H :].t()
        steps = (gates, gates[..., :H], gates[..., H:], candidates, recalled, history, history[1:])
        for gate, reset, keep, candidate, past, h, h_next in zip(
            *(tensor.unbind() for tensor in steps), strict=False
        ):
            gate.addmm_(h, U_gates).sigmoid_()
            torch.mul(reset, h, out=past)
            candidate.addmm_(past, U_candidate).tanh_()
            torch.lerp(candidate, h, keep, out=h_next)
        ctx.save_for_backward(x, weight_ih, weight_hh, gates, candidates, recalled, history)
        return history[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: _Saved, grad_states: Tensor) -> tuple[Tensor | None, ...]:
        x, weight_ih, weight_hh, gates, candidates, recalled, history = ctx.saved_tensors
        H = weight_hh.shape[1]
        grads, grad_h0 = _through_time(grad_states, gates, candidates, history[:-1], weight_hh)
        flat, flat_x = grads.flatten(0, 1), x.flatten(0, 1)
        grad_weight_hh = torch.cat(
            (
                flat[:, : 2 * H].t() @ history[:-1].flatten(0, 1),
                flat[:, 2 * H :].t() @ recalled.flatten(0, 1),
            )
        )
        grad_x = (flat @ weight_ih).view_as(x) if ctx.needs_input_grad[0] else None
        return grad_x, grad_h0, flat.t() @ flat_x, grad_weight_hh, flat.sum(0)


_reset_before: Callable[..., Tensor] = _ResetBefore.apply


def _through_time(
    grad_states: Tensor, gates: Tensor, candidates: Tensor, past: Tensor, weight_hh: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients at the gates before their activations, [T, B, 3H], and at h0, [B, H]."""
    T, B, H = candidates.shape
    reset, keep = gates[..., :H], gates[..., H:]
    to_candidate = (1 - keep) * (1 - candidates.square())
    to_keep = (past - candidates) * keep * (1 - keep)
    to_reset = past * reset * (1 - reset)
    U_gates, U_candidate = weight_hh[: 2 * H], weight_hh[2 * H :]
    grads = past.new_empty(T, B, 3 * H)
    grad_h = torch.zeros_like(past[0])
    for t in reversed(range(T)):
        grad_h += grad_states[t]
        grad_gates, grad_candidate = grads[t, :, : 2 * H], grads[t, :, 2 * H :]
        torch.mul(grad_h, to_candidate[t], out=grad_candidate)
        grad_recalled = grad_candidate @ U_candidate
        torch.mul(grad_recalled, to_reset[t], out=grad_gates[:, :H])
        torch.mul(grad_h, to_keep[t], out=grad_gates[:, H:])
        grad_h.mul_(keep[t]).addcmul_(grad_recalled, reset[t]).addmm_(grad_gates, U_gates)
    return grads, grad_h
