"""Random numbers of a generation: a seeded generator for each sequence, whatever batch it is in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lingome.core.seeds import derive_seed

_BLOCK = 256


class Draws:
    """One uniform number per sequence and step.

    Number `t` of a sequence is a function of (seed, key, t) alone, so it depends neither on the batch
    nor on how long the sequence becomes.

    Parameters
    ----------
    seed : int
        The run's seed.
    keys : sequence of tuple of int
        What names each sequence of the batch: its index, and the try.
    """

    def __init__(self, seed: int, keys: Sequence[tuple[int, ...]]) -> None:
        self._generators = [torch.Generator().manual_seed(derive_seed(seed, "generate", *key)) for key in keys]
        self._block_BT = torch.empty(len(keys), 0, dtype=torch.float64)
        self._used = 0

    def next(self) -> Tensor:
        """Give the numbers of the next step, float64 in [0, 1), shape (B,)."""
        if self._used == self._block_BT.shape[1]:
            rows = [torch.rand(_BLOCK, generator=one, dtype=torch.float64) for one in self._generators]
            self._block_BT = torch.stack(rows)
            self._used = 0
        self._used += 1
        return self._block_BT[:, self._used - 1]
