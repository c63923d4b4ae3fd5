"""What reading will take: one batch is read, and its time is scaled to all tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from lingome.models.presets import count_parameters
from lingome.models.reading.batching import pick_batch_tokens
from lingome.tokens.frame import N_SPECIAL
from lingome.tokens.tokenizer import Tokenizer

START_S = 1.0
"""Time before the first batch: opening files, laying out matrices."""
BYTES_PER_TOKEN = 1e4
"""Memory that states and attention of a token of a batch take, about."""


class ReadingCost(NamedTuple):
    """Estimate of a run that reads: seconds, and the bytes of memory that it holds at most."""

    seconds: float
    memory_bytes: float

    def rows(self) -> list[tuple[str, str]]:
        """Give the lines of a plan."""
        seconds = f"{self.seconds:.0f} s" if self.seconds < 120 else f"{self.seconds / 60:,.0f} minutes"
        return [("memory", f"about {self.memory_bytes / 1e9:.1f} GB"), ("time", f"about {seconds}")]


def estimate_reading(
    read: Callable[[Sequence[np.ndarray]], object],
    model: nn.Module,
    tokenizer: Tokenizer,
    n_tokens: float,
    row_tokens: float,
    *,
    device: torch.device,
    batch_tokens: int | None = None,
    copies: int = 1,
) -> ReadingCost:
    """Estimate what reading takes, by the time of one batch of random rows; takes about as long as two batches.

    Parameters
    ----------
    read : callable
        Reads rows of token ids without special tokens, shape (n,) each, as the run will.
    model : Module
        What reads; its parameters are counted.
    tokenizer : Tokenizer
        Its ordinary tokens make up the rows.
    n_tokens : float
        Tokens that the run will read, special ones included.
    row_tokens : float
        Tokens of a row on average, special ones included.
    device : device
        What the model is on, after `read` was called once.
    batch_tokens : int, optional
        Tokens of a batch; None for what suits the device.
    copies : int
        Copies of the weights that are held at the same time.
    """
    most = pick_batch_tokens(batch_tokens, device)
    size = max(1, round(row_tokens) - N_SPECIAL)
    ordinary = np.setdiff1d(np.arange(tokenizer.vocab_size), tokenizer.special_ids)
    rows = list(np.random.default_rng(0).choice(ordinary, (max(1, most // (size + N_SPECIAL)), size)))
    read(rows[:1])  # what is done once is not counted
    began = time.perf_counter()
    read(rows)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    token_s = (time.perf_counter() - began) / (len(rows) * (size + N_SPECIAL))
    memory = 0.5e9 + 4 * copies * count_parameters(model) + most * BYTES_PER_TOKEN
    return ReadingCost(START_S + n_tokens * token_s, memory)
