"""What a longer sequence costs one layer of an encoder: time, memory, parameters.

A token is compared with every other, so attention multiplies L x L scores: its time grows with the square of the
length L. So does its memory where the scores are kept for the backward pass; the fused kernel computes them
again instead and keeps L numbers per head (Dao et al. 2022, arXiv:2205.14135): memory linear, time not. The other
part of a layer, its matrices, treats each token on its own: linear in both. The parameters are
those of the matrices, whatever the length.

=================  ==========================================================================
part               what is measured, forward and backward, one sequence
=================  ==========================================================================
attention, plain   softmax(q k' / sqrt(K)) v as two products, every score kept
attention, fused   the same by torch's ``scaled_dot_product_attention``
linear             the layer with every token seeing itself alone: matrices, norms, sums
=================  ==========================================================================
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lingome.models.layers.attention import AttentionContext, Group
from lingome.models.networks.transformer.model import Layer
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.train.cost import time_call

PARTS = ("attention, plain", "attention, fused", "linear")
FIT_FROM = 512
"""Exponents are fitted from this length on, if three lengths are left: below, fixed costs show."""
Work = Callable[[], None]


class Growth(NamedTuple):
    """How a measure of a part grows: with the length to this power."""

    part: str
    measure: str
    exponent: float


def measure_attention(
    config: TransformerConfig, lengths: Sequence[int], device: torch.device, *, repeats: int = 3
) -> list[dict[str, object]]:
    """Measure one layer at each length, float32, one sequence.

    Parameters
    ----------
    config : TransformerConfig
        Shape of the layer.
    lengths : sequence of int
        In tokens.
    device : device
        Where to measure.
    repeats : int
        Passes of which the median is taken.

    Returns
    -------
    list of dict
        Rows of the table ``attention_cost``: ``part, length, time_s`` (median forward and backward pass),
        ``memory_bytes`` (most bytes of tensors alive at once, made by the pass), ``parameters`` of the whole layer.
    """
    layer = Layer(config, 1).to(device)
    parameters = sum(parameter.numel() for parameter in layer.parameters())
    rows: list[dict[str, object]] = []
    for length in lengths:
        for part in PARTS:
            work = _work(part, layer, length, device)
            rows.append({
                "part": part, "length": length, "time_s": _median_time(work, device, repeats),
                "memory_bytes": peak_tensor_bytes(work), "parameters": parameters,
            })
    return rows


def fit_growth(rows: Sequence[dict[str, Any]]) -> list[Growth]:
    """Fit the power of the length with which time, memory and parameters grow, by least squares of logarithms.

    Examples
    --------
    >>> rows = [{"part": "linear", "length": n, "time_s": 2.0 * n, "memory_bytes": n, "parameters": 7}
    ...         for n in (512, 1024, 4096)]
    >>> [(one.measure, round(one.exponent, 6)) for one in fit_growth(rows)]
    [('time_s', 1.0), ('memory_bytes', 1.0), ('parameters', 0.0)]
    """
    found = []
    for part in dict.fromkeys(row["part"] for row in rows):
        own = [row for row in rows if row["part"] == part]
        long = [row for row in own if row["length"] >= FIT_FROM]
        own = long if len(long) >= 3 else own
        x = np.log([row["length"] for row in own])
        for measure in ("time_s", "memory_bytes", "parameters"):
            slope = np.polyfit(x, np.log([row[measure] for row in own]), 1)[0]
            found.append(Growth(part, measure, round(float(slope), 4) + 0.0))
    return found


def peak_tensor_bytes(work: Work) -> int:
    """Count the most bytes of tensors that were alive at once, of those that `work` made; on any device.

    What a kernel takes for itself while it runs is not seen.
    """
    count = _AliveBytes()
    with count:
        work()
    return count.most


class _AliveBytes(TorchDispatchMode):
    """Follow every storage that an operation gives out, until it is freed."""

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.alive: dict[int, int] = {}
        self.now = 0
        self.most = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        before = {_pointer(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor) and _pointer(leaf) not in before and _pointer(leaf) not in self.alive:
                self._follow(leaf)
        return out

    def _follow(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        pointer = _pointer(tensor)
        self.alive[pointer] = storage.nbytes()
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._free, pointer)

    def _free(self, pointer: int) -> None:
        self.now -= self.alive.pop(pointer, 0)


def _pointer(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class _Alone(AttentionContext):
    """Attention of tokens that see themselves alone: the values, as they are."""

    def attend(self, q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, *, local: bool, dropout: float) -> Tensor:
        """Give (T, D)."""
        return v_TGK.repeat_interleave(q_THK.shape[1] // v_TGK.shape[1], dim=1).flatten(1)


def _work(part: str, layer: Layer, length: int, device: torch.device) -> Work:
    """Give a forward and a backward pass; it leaves no gradient behind."""
    config = layer.config
    draw = torch.Generator().manual_seed(length)
    if part == "linear":
        x_TD = torch.randn(length, config.hidden_size, generator=draw).to(device).requires_grad_()
        inputs = (x_TD, *layer.parameters())
        alone = _Alone(config, [Group(0, 1, length, None)], None, device)
        return lambda: _differentiate(layer(x_TD, alone), inputs)
    shape = (1, config.n_heads, length, config.head_size)
    q, k, v = (torch.randn(shape, generator=draw).to(device).requires_grad_() for _ in range(3))
    if part == "attention, fused":
        return lambda: _differentiate(F.scaled_dot_product_attention(q, k, v), (q, k, v))
    scale = 1 / math.sqrt(config.head_size)
    return lambda: _differentiate((q @ k.transpose(2, 3) * scale).softmax(dim=-1) @ v, (q, k, v))


def _differentiate(out: Tensor, inputs: Sequence[Tensor]) -> None:
    torch.autograd.grad(out.sum(), inputs)


def _median_time(work: Work, device: torch.device, repeats: int) -> float:
    times = [time_call(work, device) for _ in range(repeats + 1)]
    return float(np.median(times[1:]))
