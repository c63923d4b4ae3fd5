"""Paired comparison of many candidates on the same test items, with items in blocks.

Legend: S fits (seeds), N test items, Q blocks, R resamples.

Test windows that lie close together, or overlap, are not independent, so whole blocks of sequence are
drawn again, not items (block bootstrap; Kunsch 1989, doi:10.1214/aos/1176347265). Of S > 1 fits, S - 1 are drawn:
that makes the variance of the mean right even for few fits, where drawing S would make it too
small by (S - 1) / S (McCarthy & Snowden 1985, NCHS Vital and Health Statistics 2(95)). All candidates see
the same resamples, so differences are taken resample by resample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from lingome.core.seeds import generator
from lingome.evaluate.measures.intervals import Estimate

N_RESAMPLES = 1000


class Draws(NamedTuple):
    """A number, and what it is on every resample, shape (R,)."""

    value: float
    drawn: np.ndarray

    def less(self, other: Draws) -> Draws:
        """Give the difference to another, resample by resample."""
        return Draws(self.value - other.value, self.drawn - other.drawn)

    @property
    def estimate(self) -> Estimate:
        """The value with its 95 % interval."""
        low, high = np.quantile(self.drawn, [0.025, 0.975])
        return Estimate(self.value, float(low), float(high))


def resampled_ratio(top_Q: np.ndarray, bottom_Q: np.ndarray, n_resamples: int = N_RESAMPLES) -> Draws:
    """Resample a ratio of sums over blocks; 0 where there is nothing to divide by."""
    top = np.asarray(top_Q, dtype=np.float64)
    bottom = np.asarray(bottom_Q, dtype=np.float64)
    parts = [
        (counts @ top) / np.maximum(counts @ bottom, 1e-12) for counts, _ in _resamples(len(top), 1, n_resamples)
    ]
    return Draws(float(top.sum() / max(bottom.sum(), 1e-12)), np.concatenate(parts))


def resampled_mean(values_SN: np.ndarray, block_N: np.ndarray, n_resamples: int = N_RESAMPLES) -> Draws:
    """Resample the mean over items and fits.

    Parameters
    ----------
    values_SN : ndarray, shape (S, N)
        One number an item and fit: a hit, a share, bits.
    block_N : ndarray of int, shape (N,)
        The block each item lies in.
    """
    values = np.asarray(values_SN, dtype=np.float64)
    kinds, owner = np.unique(block_N, return_inverse=True)
    sums_SQ = np.stack([np.bincount(owner, weights=row, minlength=len(kinds)) for row in values])
    sizes_Q = np.bincount(owner, minlength=len(kinds)).astype(np.float64)
    parts = [
        ((counts @ sums_SQ.T) * fits).sum(axis=1) / (counts @ sizes_Q)
        for counts, fits in _resamples(len(kinds), len(values), n_resamples)
    ]
    return Draws(float(values.mean()), np.concatenate(parts))


def behind_best(candidates: Mapping[str, Draws]) -> tuple[str, dict[str, Estimate]]:
    """Name the candidate of the highest value, and say how far each lies behind it.

    A difference whose interval reaches down to 0 cannot be told from none. That the best was
    picked by the same items favours it: with many candidates, some that equal it seem behind.
    """
    best = max(candidates, key=lambda name: candidates[name].value)
    return best, {name: candidates[best].less(draws).estimate for name, draws in candidates.items()}


def _resamples(n_blocks: int, n_fits: int, n_resamples: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield how often each block (R, Q), and with what weight each fit (R, S), is drawn."""
    at_once = max(1, 2_000_000 // n_blocks)
    for start in range(0, n_resamples, at_once):
        rows = min(at_once, n_resamples - start)
        random = generator(0, "blocks", n_blocks, start)
        counts = random.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=rows).astype(np.float64)
        drawn = max(1, n_fits - 1)
        yield counts, random.multinomial(drawn, np.full(n_fits, 1 / n_fits), size=rows) / drawn
