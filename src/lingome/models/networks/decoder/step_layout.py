"""Matrices laid out for oneDNN before a model writes sequence on a CPU.

A product of few rows with a matrix reads the matrix once, and as it lies in memory torch's own kernel reads it slowly:
five rows take twice the time of one. oneDNN reads its own blocked copy at the speed of memory. All matrices of a
GPT-2-small, one core, float32, milliseconds per step:

====  ===========  ======  ==========
rows  as they lie  packed  transposed
====  ===========  ======  ==========
1     36           31      25
5     70           28      74
16    101          55      102
128   448          308
====  ===========  ======  ==========

So more rows than one take packed matrices. The copy takes as much memory again. Sums are taken in another order:
results differ by rounding. One row takes the matrices as they lie (`lingome.models.networks.decoder.one_row`); a
model of experts, or in another type than float32, transposed ones
(`lingome.models.networks.decoder.model.store_for_steps`).
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from lingome.models.layers.packed_linear import PackedLinear, can_pack
from lingome.models.networks.decoder.model import CausalLM, store_for_steps

M = TypeVar("M", bound=nn.Module)


def lay_out_for_steps(model: CausalLM, n_rows: int) -> CausalLM:
    """Lay the matrices of a model on the CPU out for steps of one token in `n_rows` rows, in place; see the table."""
    if model.head.weight.device.type != "cpu":
        return model
    if n_rows > 1:
        return lay_out_rows(model, n_rows)
    read_as_it_lies = not model.config.n_experts and model.head.weight.dtype == torch.float32
    return model if read_as_it_lies else store_for_steps(model)


@torch.no_grad()
def lay_out_rows(model: M, n_rows: int) -> M:
    """Give the linear layers of a model on the CPU packed copies of their matrices, in place.

    Parameters
    ----------
    model : Module
        In float32; its weights must not change afterwards. Nothing happens to layers elsewhere, in another type, or
        where torch has no such kernels.
    n_rows : int
        Rows of a step, for which the layout is chosen; others work too.
    """
    for parent in list(model.modules()):
        for name, layer in parent.named_children():
            if not isinstance(layer, nn.Linear) or isinstance(layer, PackedLinear):
                continue
            if layer.weight.dtype == torch.float32 and layer.weight.device.type == "cpu" and can_pack(torch.float32):
                setattr(parent, name, PackedLinear(layer, torch.float32, n_rows))
    return model
