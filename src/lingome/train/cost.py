"""What training will take: operations, memory, time. Estimates, good to about a factor of two."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from lingome.models.devices import Precision, pick_precision
from lingome.models.shapes import DecoderConfig, TransformerConfig

SHARE_OF_PEAK = 0.55
"""Of the speed of bare matrix products, what a training step reaches on CPUs (measured on two cores)."""

PROCESS_BYTES = 650e6
"""Python, torch and numba before anything is loaded."""


@dataclass(frozen=True)
class Cost:
    """Estimate of a training run.

    Parameters
    ----------
    operations : float
        Floating-point operations, forward and backward.
    memory_bytes : float
        Largest resident size: process, weights with gradients and moments, activations, data.
    seconds : float
        Time at the speed measured now; a machine busy with other work takes longer.
    """

    operations: float
    memory_bytes: float
    seconds: float


def estimate_training(
    config: TransformerConfig | DecoderConfig, n_parameters: int, *, tokens: float, batch_tokens: int, length: int,
    device: torch.device, precision: Precision = "auto", data_bytes: float = 0.0,
) -> Cost:
    """Estimate the cost of training on so many tokens.

    Operations are 6 a weight and token, without the embedding table, and 12 a layer, token, position
    and hidden unit for attention (Kaplan et al. 2020, arXiv:2001.08361, section 2.1).

    Parameters
    ----------
    tokens : float
        Tokens in all.
    batch_tokens, length : int
        Tokens of a micro-batch, and of a sequence in it.
    data_bytes : float
        Size of the data held in memory.
    """
    weights = n_parameters - config.vocab_size * config.hidden_size
    each = 6 * weights + 12 * config.n_layers * length * config.hidden_size
    half = pick_precision(device, precision) == "bf16"
    width = config.ffn_size * (4 if config.ffn in ("geglu", "swiglu") else 2)
    # Kept for the backward pass: inputs and outputs of each product and norm, and two maps of attention.
    kept = config.n_layers * (14 * config.hidden_size + width + 2 * config.n_heads * length)
    memory = PROCESS_BYTES + 16 * n_parameters + batch_tokens * kept * (2 if half else 4) + data_bytes
    operations = each * tokens
    return Cost(operations, memory, operations / (SHARE_OF_PEAK * _speed(device, half)))


def _speed(device: torch.device, half: bool) -> float:
    """Measure matrix products, in operations a second, in a few tenths of a second."""
    dtype = torch.bfloat16 if half else torch.float32
    a = torch.ones(2048, 512, dtype=dtype, device=device)
    b = torch.ones(512, 512, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        c = a @ b
        float(c[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - start)
    return 2 * 2048 * 512 * 512 / best
