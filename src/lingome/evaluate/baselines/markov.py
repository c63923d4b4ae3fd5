"""Markov models of bases: how far local composition alone gets.

One table of counts of all L-mers (L = 12 by default) holds every lower order: summing over the
first letters gives shorter words. Orders and smoothing are chosen on bases kept out of the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lingome.evaluate.baselines.features import kmer_ids

LONGEST = 12
_BLOCK = 4_000_000


class WordCounts:
    """Counts of all words of up to `longest` letters.

    Parameters
    ----------
    pieces : sequence of ndarray of uint8
        Base codes (`lingome.evaluate.baselines.features.base_codes`); words over other letters are left out.
    longest : int
        L; the table has 4^L counts of 4 bytes.
    """

    def __init__(self, pieces: Sequence[np.ndarray], longest: int = LONGEST) -> None:
        self.longest = longest
        self.counts = np.zeros(4**longest, dtype=np.int32)
        # Joined, with a letter between that no word may hold: adding the table up once a piece would take minutes.
        gap = np.full(1, 4, dtype=np.uint8)
        codes = np.concatenate([gap, *(part for piece in pieces for part in (piece, gap))])
        for start in range(0, len(codes), _BLOCK):
            ids = kmer_ids(codes[start : start + _BLOCK + longest - 1], longest)
            self.counts += np.bincount(ids[ids >= 0], minlength=4**longest).astype(np.int32)

    def of(self, length: int) -> np.ndarray:
        """Give counts of the words of `length` letters that end an L-mer, shape (4^length,)."""
        assert 0 < length <= self.longest
        return np.asarray(self.counts.reshape(-1, 4**length).sum(axis=0, dtype=np.int64))


class NextKmerTable(NamedTuple):
    """The likeliest next k-mer after each context of `order` bases: `best` has shape (4^order,)."""

    k: int
    order: int
    best: np.ndarray

    def predict(self, contexts_NL: np.ndarray) -> np.ndarray:
        """Give the number of the next k-mer for contexts of base codes (N, L >= order), shape (N,)."""
        context = np.zeros(len(contexts_NL), dtype=np.int64)
        for letter in contexts_NL[:, contexts_NL.shape[1] - self.order :].T:
            context = (context << 2) | letter
        return self.best[context]


def next_kmer_table(train: WordCounts, valid: WordCounts, k: int) -> NextKmerTable:
    """Choose the order whose likeliest next k-mer is right most often on validation words.

    A context never seen falls back to the next shorter one; order 0 is the most frequent k-mer.
    """
    chosen: tuple[float, NextKmerTable] | None = None
    best = np.zeros(1, dtype=np.int64)
    for order in range(train.longest - k + 1):
        counts = train.of(order + k).reshape(4**order, 4**k)
        shorter = np.tile(best, 4) if order else best
        best = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), shorter)
        checked = valid.of(order + k).reshape(4**order, 4**k)
        right = float(checked[np.arange(4**order), best].sum() / max(1, checked.sum()))
        if chosen is None or right > chosen[0]:
            chosen = right, NextKmerTable(k, order, best)
    assert chosen is not None
    return chosen[1]


class MarkovModel:
    """Probability of each base given up to `order` before it, smoothed by shorter contexts.

    p_m(b | context) = (count + s p_{m-1}(b | shorter context)) / (total + s), down to the uniform
    (interpolation with a Dirichlet prior; MacKay & Peto 1995, doi:10.1017/S1351324900000218).
    Order and strength s are those of least bits per base on validation words.
    """

    def __init__(self, train: WordCounts, valid: WordCounts, highest: int = 9) -> None:
        found: tuple[float, list[np.ndarray]] | None = None
        for strength in (4.0, 16.0, 64.0):
            tables = [np.full((1, 4), 0.25)]
            for order in range(highest + 1):
                counts = train.of(order + 1).reshape(4**order, 4)
                shorter = np.tile(tables[-1], (4, 1)) if order else tables[-1]
                total = counts.sum(axis=1, keepdims=True)
                tables.append((counts + strength * shorter) / (total + strength))
                checked = valid.of(order + 1).reshape(4**order, 4)
                bits = float(-(checked * np.log2(tables[-1])).sum() / max(1, checked.sum()))
                if found is None or bits < found[0]:
                    found = bits, tables[1:]
        assert found is not None
        self.tables = found[1]
        self.order = len(self.tables) - 1

    def bits(self, codes: np.ndarray) -> np.ndarray:
        """Give -log2 p of every base given those before it; 2 bits for unknown letters.

        The first bases, and those after an unknown letter, are read with the context they have.

        Parameters
        ----------
        codes : ndarray of uint8, shape (n,)
            As `lingome.evaluate.baselines.features.base_codes`.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        bits = np.full(len(codes), 2.0)
        for order, table in enumerate(self.tables):
            ids = kmer_ids(codes, order + 1)
            known = np.flatnonzero(ids >= 0)
            bits[known + order] = -np.log2(table.ravel()[ids[known]])
        return bits
