"""N-gram models of tokens: how many bits a vocabulary needs for a base, before any network is trained.

Legend: W ordinary tokens, n tokens of a sequence, m tokens of context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

HIGHEST = 3
DISCOUNTS = (0.0, 0.3, 0.6, 0.8)
STRENGTHS = (0.5, 4.0, 16.0, 64.0, 256.0, 1024.0)
_LARGEST_KEY = 2**62


class Smoothing(NamedTuple):
    """What an order takes from the counts: a discount off each token seen, and the weight of shorter contexts."""

    discount: float
    strength: float


class Words(NamedTuple):
    """Words of m + 1 tokens that end at the positions `ends`: `contexts` (m tokens) and `words` as numbers."""

    ends: np.ndarray
    contexts: np.ndarray
    words: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray, m: int, n_words: int) -> Words:
        """Number the words that hold no token below 0.

        Parameters
        ----------
        ids : ndarray of int, shape (n,)
            Numbers of tokens; below 0 for what is none.
        m : int
            Tokens of context.
        n_words : int
            How many tokens there are.
        """
        n = len(ids) - m
        if n <= 0:
            none = np.empty(0, dtype=np.int64)
            return cls(none, none, none)
        contexts = np.zeros(n, dtype=np.int64)
        good = ids[m:] >= 0
        for offset in range(m):
            part = ids[offset : offset + n]
            contexts = contexts * n_words + part
            good = good & (part >= 0)
        ends = np.flatnonzero(good)
        return cls(ends + m, contexts[ends], contexts[ends] * n_words + ids[ends + m])


class _Counts:
    """Counts of the words of one order, to look up."""

    def __init__(self, words: Words, n_words: int) -> None:
        self.words, self.counts = np.unique(words.words, return_counts=True)
        owner = self.words // n_words
        self.contexts, first = np.unique(owner, return_index=True)
        self.totals = np.add.reduceat(self.counts, first) if len(first) else first
        self.kinds = np.diff(np.append(first, len(owner)))

    def of(self, words: Words) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give for each word its count, the count of its context, and the different tokens seen after that."""
        count = _found(self.words, self.counts, words.words)
        return count, _found(self.contexts, self.totals, words.contexts), _found(
            self.contexts, self.kinds, words.contexts)


def _found(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if not len(keys):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0).astype(np.float64)


class NgramModel:
    """Probability of each token given up to `highest` tokens before it.

    p_m(t | context) = (max(c - d, 0) + (s + d u) p_{m-1}(t | shorter context)) / (n + s), where c counts
    t after the context, n all tokens after it and u the different ones; p_{-1} is 1 / W. With d = 0
    this is a Dirichlet prior, with s = 0 absolute discounting; both together are the Pitman-Yor
    process with one table a dish (Teh 2006, doi:10.3115/1220175.1220299). For each order d and s are those
    of least bits on validation tokens, and so is the order.

    Parameters
    ----------
    train, valid : ndarray of int64, shape (n,)
        Numbers 0 to W - 1 of tokens, one piece after the other; below 0 for what is no word
        (an unknown letter, the end of a piece): it is not counted, and no context reaches across it.
    n_words : int
        W.
    highest : int
        Longest context in tokens.

    Attributes
    ----------
    order : int
        Length of context chosen.
    smoothing : list of Smoothing
        One an order, from 0 on.
    """

    def __init__(self, train: np.ndarray, valid: np.ndarray, n_words: int, highest: int = HIGHEST) -> None:
        self.n_words = n_words
        self.tables: list[_Counts] = []
        self.smoothing: list[Smoothing] = []
        chance = np.full(len(valid), 1.0 / n_words)
        scored = valid >= 0
        best = np.inf
        self.order = 0
        for m in range(highest + 1):
            if n_words ** (m + 1) > _LARGEST_KEY:
                break
            table = _Counts(Words.of(train, m, n_words), n_words)
            words = Words.of(valid, m, n_words)
            found = table.of(words)
            shorter = chance[words.ends]
            grid = [Smoothing(d, s) for d in DISCOUNTS for s in STRENGTHS]
            costs = [-np.log2(_smoothed(found, shorter, one)).sum() for one in grid]
            self.tables.append(table)
            self.smoothing.append(grid[int(np.argmin(costs))])
            chance[words.ends] = _smoothed(found, shorter, self.smoothing[-1])
            total = float(-np.log2(chance[scored]).sum())
            if total < best:
                best = total
                self.order = m

    def bits(self, ids: np.ndarray) -> np.ndarray:
        """Give -log2 p of every token: float64, shape (n,); 0 for what is no word.

        The first tokens, and those after a gap, are read with the context they have.

        Parameters
        ----------
        ids : ndarray of int, shape (n,)
            Numbers of tokens; below 0 for what is none.
        """
        chance = np.full(len(ids), 1.0 / self.n_words)
        for m in range(self.order + 1):
            words = Words.of(ids, m, self.n_words)
            chance[words.ends] = _smoothed(self.tables[m].of(words), chance[words.ends], self.smoothing[m])
        return np.where(ids >= 0, -np.log2(chance), 0.0)


def _smoothed(found: Sequence[np.ndarray], shorter: np.ndarray, by: Smoothing) -> np.ndarray:
    count, total, kinds = found
    return np.asarray(
        (np.maximum(count - by.discount, 0) + (by.strength + by.discount * kinds) * shorter) / (total + by.strength)
    )
