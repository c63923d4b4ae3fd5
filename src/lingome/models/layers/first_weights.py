"""The draw of first weights: each tensor's depends on the seed and on its own name alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lingome.core.seeds import derive_seed

Rule = Callable[[str, Tensor, torch.Generator], object]
"""Fills the values of a parameter, float32 and zero before, in place; given its name and a generator of its own."""


@torch.no_grad()
def fill_weights(model: nn.Module, seed: int, rule: Rule) -> None:
    """Set every parameter by a rule.

    Parameters
    ----------
    model : Module
        On the CPU or elsewhere; the draws are the same.
    seed : int
        Each tensor's draw depends on it and on the tensor's name alone.
    rule : function (name, values, generator)
        Fills the values of one parameter.
    """
    for name, parameter in model.named_parameters():
        values = torch.zeros(parameter.shape, dtype=torch.float32)
        rule(name, values, torch.Generator().manual_seed(derive_seed(seed, "weights", name)))
        parameter.copy_(values)


def draw_weights(model: nn.Module, seed: int, residual_layers: int | None) -> None:
    """Set every weight: normal(0, 0.02) cut at 2 sd, biases 0, scales 1.

    Parameters
    ----------
    model : Module
        On the CPU or elsewhere; the draws are the same.
    seed : int
        Each tensor's draw depends on it and on the tensor's name alone.
    residual_layers : int, optional
        n: matrices out of attention and feed-forward are divided by sqrt(2 n). None: they are not.
    """

    def rule(name: str, values: Tensor, draw: torch.Generator) -> None:
        if name.endswith("bias"):
            values.zero_()
        elif values.dim() == 1:
            values.fill_(1.0)
        else:
            out = name.endswith(("attention_out.weight", "ffn_out.weight"))
            std = 0.02 / math.sqrt(2 * residual_layers) if out and residual_layers is not None else 0.02
            draw_cut_normal(values, std, draw)

    fill_weights(model, seed, rule)


def draw_cut_normal(values: Tensor, std: float, draw: torch.Generator) -> None:
    """Fill `values`, of any shape, in place, from a normal of standard deviation `std` that is cut at 2 of them."""
    nn.init.trunc_normal_(values, 0.0, std, -2 * std, 2 * std, generator=draw)


def constant(name: str) -> float:
    """Give the first value of a vector that is not drawn: 0 for a bias, 1 for a scale."""
    return 0.0 if name.endswith("bias") else 1.0
