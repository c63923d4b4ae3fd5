"""Motifs: count matrices, scores, exact thresholds, and where they occur."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from lingome.core.errors import DataError
from lingome.data.sequence import Bases

PSEUDOCOUNT = 0.8
STEPS_PER_BIT = 100

_CODE = np.full(256, 4, dtype=np.uint8)
_CODE[[65, 67, 71, 84]] = (0, 1, 2, 3)


@dataclass(frozen=True)
class Motif:
    """A binding motif.

    Parameters
    ----------
    id, name : str
        ``MA0139.1`` and ``CTCF``.
    counts : ndarray of float64, shape (4, L)
        How often A, C, G, T (rows) were seen at each position.
    """

    id: str
    name: str
    counts: np.ndarray

    @property
    def length_bp(self) -> int:
        """Number of positions."""
        return int(self.counts.shape[1])

    def integer_scores(self, background: np.ndarray, pseudocount: float = PSEUDOCOUNT) -> np.ndarray:
        """Give the score of each letter at each position, in steps of 1/100 bit, so that sums are exact.

        ``log2(p / b)`` with ``p = (count + pseudocount * b) / (total + pseudocount)``
        (Wasserman and Sandelin 2004, doi:10.1038/nrg1315).

        Parameters
        ----------
        background : ndarray of float, shape (4,)
            Frequencies of A, C, G, T.
        pseudocount : float
            Added to the counts of each position, divided as the background.

        Returns
        -------
        ndarray of int64, shape (4, L)
        """
        b = check_background(background)[:, None]
        p = (self.counts + pseudocount * b) / (self.counts.sum(axis=0) + pseudocount)
        scores: np.ndarray = np.rint(np.log2(p / b) * STEPS_PER_BIT).astype(np.int64)
        return scores


def check_background(background: np.ndarray) -> np.ndarray:
    """Give the background as four positive frequencies that add up to 1.

    Parameters
    ----------
    background : ndarray of float, shape (4,)
        Frequencies of A, C, G, T.

    Returns
    -------
    ndarray of float64, shape (4,)

    Raises
    ------
    DataError
        If it is not that.
    """
    b = np.asarray(background, dtype=np.float64)
    if b.shape != (4,) or not np.all(b > 0) or abs(float(b.sum()) - 1) > 1e-6:
        raise DataError("a background is the frequencies of A, C, G, T, none of them zero", got=background)
    return b


def select(motifs: Sequence[Motif], wanted: str) -> Motif:
    """Choose a motif by id (``MA0139.1``), id without version (the newest), or name.

    Raises
    ------
    DataError
        If there is none, or a name stands for several.
    """
    for motif in motifs:
        if motif.id == wanted:
            return motif
    found = [motif for motif in motifs if motif.id.split(".")[0] == wanted]
    found = found or [motif for motif in motifs if motif.name.lower() == wanted.lower()]
    if len({motif.id.split(".")[0] for motif in found}) == 1:
        return max(found, key=lambda motif: [int(part) for part in re.findall(r"\d+", motif.id)])
    known = ", ".join(f"{motif.id} {motif.name}" for motif in (found or motifs)[:12])
    what = f"several motifs are called {wanted!r}" if found else f"there is no motif {wanted!r}"
    raise DataError(what, expected=known, hint="give the id of one of them")


def score_threshold(
    motif: Motif, p_value: float, background: np.ndarray, pseudocount: float = PSEUDOCOUNT
) -> float:
    """Give the smallest score that random sequence reaches with probability <= `p_value` a position and strand.

    Exact: the distribution of the sum over positions is built position by position on scores
    rounded to 1/100 bit (Staden 1989; Touzet and Varre 2007, doi:10.1186/1748-7188-2-15).

    Parameters
    ----------
    motif : Motif
        Of L positions.
    p_value : float
        Probability per position and strand, between 0 and 1.
    background : ndarray of float, shape (4,)
        Frequencies of A, C, G, T.
    pseudocount : float
        See `Motif.integer_scores`.

    Returns
    -------
    float
        Bits. Above the highest possible score if even that is too likely.

    Raises
    ------
    DataError
        If `p_value` is not between 0 and 1.
    """
    if not 0 < p_value < 1:
        raise DataError("a p-value lies between 0 and 1", got=p_value)
    scores = motif.integer_scores(background, pseudocount)
    b = check_background(background)
    low = int(scores.min(axis=0).sum())
    chance = np.ones(1)
    for column in scores.T:
        base = int(column.min())
        grown = np.zeros(len(chance) + int(column.max()) - base)
        for letter in range(4):
            shift = int(column[letter]) - base
            grown[shift : shift + len(chance)] += chance * b[letter]
        chance = grown
    tail = np.cumsum(chance[::-1])[::-1]
    at = int(np.searchsorted(-tail, -p_value, side="left"))
    return (low + at) / STEPS_PER_BIT


def scan(
    motif: Motif,
    bases: Bases,
    threshold: float,
    background: np.ndarray,
    pseudocount: float = PSEUDOCOUNT,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find where a motif scores at least `threshold` bits, on both strands.

    A stretch with N never matches. A site that passes on both strands is given twice.

    Parameters
    ----------
    motif : Motif
        What to look for.
    bases : ndarray of uint8, shape (L,)
        ASCII letters.
    threshold : float
        Bits; see `score_threshold`.
    background : ndarray of float, shape (4,)
        Frequencies of A, C, G, T.
    pseudocount : float
        See `Motif.integer_scores`.

    Returns
    -------
    positions : ndarray of int64, shape (H,)
        Start on the forward strand, 0-based; the site is ``[position, position + length_bp)``.
    strands : ndarray of str, shape (H,)
        ``+`` or ``-``.
    scores : ndarray of float64, shape (H,)
        Bits. Ordered by position, ``+`` before ``-``.
    """
    forward = motif.integer_scores(background, pseudocount).T
    reverse = forward[::-1, ::-1]
    limit = int(np.ceil(threshold * STEPS_PER_BIT - 1e-6))
    order, tables, rest = _prepare(forward, reverse)
    starts, minus, sums = _scan(np.ascontiguousarray(bases), _CODE, order, tables, rest, limit)
    return starts, np.where(minus, "-", "+"), sums / STEPS_PER_BIT


def _prepare(forward: np.ndarray, reverse: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order positions by what they can lose, so that most windows are given up after a few letters."""
    length = len(forward)
    order = np.empty((2, length), np.int64)
    tables = np.empty((2, length, 5), np.int64)
    rest = np.zeros((2, length + 1), np.int64)
    for strand, scores in enumerate((forward, reverse)):
        mean_loss = scores.max(axis=1) - scores.mean(axis=1)
        order[strand] = np.argsort(-mean_loss, kind="stable")
        tables[strand, :, :4] = scores[order[strand]]
        tables[strand, :, 4] = -(1 << 40)
        best = tables[strand].max(axis=1)
        rest[strand, :length] = np.cumsum(best[::-1])[::-1]
    return order, tables, rest


@njit(cache=True, nogil=True)
def _scan(
    bases: np.ndarray, code: np.ndarray, order: np.ndarray, tables: np.ndarray, rest: np.ndarray, limit: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    length = order.shape[1]
    size = 1024
    starts = np.empty(size, np.int64)
    minus = np.empty(size, np.bool_)
    sums = np.empty(size, np.int64)
    found = 0
    for start in range(len(bases) - length + 1):
        for strand in range(2):
            total = 0
            for step in range(length):
                total += tables[strand, step, code[bases[start + order[strand, step]]]]
                if total + rest[strand, step + 1] < limit:
                    break
            else:
                if found == size:
                    size *= 2
                    starts = np.append(starts, np.empty(size - found, np.int64))
                    minus = np.append(minus, np.empty(size - found, np.bool_))
                    sums = np.append(sums, np.empty(size - found, np.int64))
                starts[found] = start
                minus[found] = strand == 1
                sums[found] = total
                found += 1
    return starts[:found].copy(), minus[:found].copy(), sums[:found].copy()
