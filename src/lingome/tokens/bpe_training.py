"""Exact byte-pair training on uncut sequence.

Sennrich et al. 2016, doi:10.18653/v1/P16-1162; for genomes Sanabria et al. 2024,
doi:10.1038/s42256-024-00872-0. The genome is one array of small integers, shortened in place:

1. Symbols are uint8 until the 256th, then uint16 (by then the array is several times shorter).
2. A dense table holds the count of every adjacent pair, overlapping ones included ("AAA" has two
   "AA"), and is corrected at each replacement. Nothing is counted again.
3. One pass makes several merges. Let p1 > p2 > ... be the pairs by rank (higher count first, then
   the smaller left, then the smaller right), and take the longest prefix in which no left symbol
   is also a right symbol. Occurrences of these pairs share no position, so merging one changes
   the count of no other, and one left-to-right pass equals one pass each. A pair made by the
   merges, (y, X) with X = (a, b), occurs at most as often as (y, a) did; (y, a) is not in the
   prefix (a would be left and right), so it counts at most c(q), q being the pair after the
   prefix. Hence all members with a count strictly above c(q) are exactly the next merges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numba
import numpy as np

from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import Task, track
from lingome.tokens.alphabet import DNA

MAX_MERGES = 16_000
"""Limit of merges: the table of pairs has (merges + 5) squared cells of 8 bytes."""

BREAK = DNA.unknown
FIRST_MERGE = BREAK + 1  # symbols: 0..3 letters, 4 a break that never pairs, then merges
_BATCH = 32
_CHUNK = 8192  # symbols looked at together: they and their marks stay in the first-level cache


class Merge(NamedTuple):
    """One merge: symbols, how often the pair occurred when it was chosen, and its lead over the next pair."""

    left: int
    right: int
    occurrences: int
    margin: int


def learn_merges(sequences: Iterable[np.ndarray], merges: int, *, both_strands: bool = False) -> list[Merge]:
    """Learn merges; fewer than asked when no pair is left.

    Parameters
    ----------
    sequences : iterable of ndarray of uint8
        ASCII letters; a letter outside ACGT, and the end of a sequence, break it.
    merges : int
        How many to learn.
    both_strands : bool
        Count the reverse complement of each sequence as well.

    Returns
    -------
    list of Merge
        In order; symbols are letters 0..3 and ``5 + rank`` for earlier merges.

    Raises
    ------
    ConfigError
        If `merges` is below 1 or above `MAX_MERGES`.
    DataError
        If there are no two neighbouring letters of ACGT to learn from.
    """
    if not 1 <= merges <= MAX_MERGES:
        raise ConfigError("the number of merges is out of range", got=merges, expected=f"1 to {MAX_MERGES}")
    symbols, n = _fill(sequences, both_strands)
    size = merges + FIRST_MERGE
    counts = np.zeros((size, size), dtype=np.int64)
    _count_pairs(symbols, n, counts)
    counts[BREAK, :] = 0
    counts[:, BREAK] = 0
    if not counts.any():
        raise DataError(
            "there is nothing to learn merges from", got="no two neighbouring letters of ACGT",
            hint="check that the input is DNA and not all N",
        )
    learnt: list[Merge] = []
    candidates = Candidates(counts)
    with track("training the vocabulary", total=merges, unit="merges") as task:
        while len(learnt) < merges:
            chosen = candidates.next_merges(min(_BATCH, merges - len(learnt)))
            if not chosen:
                break
            first_new = FIRST_MERGE + len(learnt)
            if symbols.dtype == np.uint8 and first_new + len(chosen) > 256:
                symbols = symbols[:n].astype(np.uint16)
            n = _replace(symbols, n, chosen, first_new, counts)
            candidates.add_new(first_new, len(chosen))
            learnt.extend(chosen)
            _advance(task, chosen)
    return learnt


def _advance(task: Task, chosen: list[Merge]) -> None:
    task.advance(len(chosen), f"count {chosen[-1].occurrences:,}")


def _fill(sequences: Iterable[np.ndarray], both_strands: bool) -> tuple[np.ndarray, int]:
    arrays = list(sequences)
    total = sum(len(array) + 1 for array in arrays) * (2 if both_strands else 1) + 1
    symbols = np.empty(total, dtype=np.uint8)
    symbols[0] = BREAK
    n = 1
    for array in arrays:
        n = _append(array, DNA.codes, symbols, n, False)
        if both_strands:
            n = _append(array, DNA.codes, symbols, n, True)
    return symbols, n


def _replace(symbols: np.ndarray, n: int, chosen: list[Merge], first_new: int, counts: np.ndarray) -> int:
    """Replace the chosen pairs in place, correct the counts, and give the new length."""
    lefts = sorted({merge.left for merge in chosen})
    row_of = np.zeros(first_new, dtype=np.uint8)
    row_of[lefts] = np.arange(1, len(lefts) + 1)
    made = np.zeros((len(lefts) + 1, first_new), dtype=np.uint16)
    for offset, merge in enumerate(chosen):
        made[row_of[merge.left], merge.right] = first_new + offset
    pairs = np.array([(merge.left, merge.right) for merge in chosen], dtype=symbols.dtype)
    marks = np.empty(_CHUNK, dtype=symbols.dtype)
    chunk = np.empty(_CHUNK + 1, dtype=symbols.dtype)
    n = int(
        _merge_pass(
            symbols, n, pairs[:, 0].copy(), pairs[:, 1].copy(), row_of, made, counts, chunk, marks,
            marks.view(np.uint64),
        )
    )
    counts[BREAK, :] = 0
    counts[:, BREAK] = 0
    return n


class Candidates:
    """The pairs that can be among the next merges.

    Holds every pair that counts at least `threshold`; the table is searched again, with half the
    top count as threshold, only when fewer than two are left. Counts of old pairs only fall, and
    pairs with new symbols are added by `add_new`, so none is missed.

    Parameters
    ----------
    counts : ndarray of int64, shape (S, S)
        Count of each pair of symbols; shared with, and changed by, the passes.
    """

    def __init__(self, counts: np.ndarray) -> None:
        self.counts = counts
        self.known = FIRST_MERGE
        self.threshold = 0
        self.left = np.empty(0, dtype=np.int64)
        self.right = np.empty(0, dtype=np.int64)

    def add_new(self, first: int, n: int) -> None:
        """Consider the pairs of symbols `first`..`first + n - 1`."""
        self.known = first + n
        rows = self.counts[first : self.known, : self.known]
        columns = self.counts[:first, first : self.known]
        left, right = np.nonzero(rows >= self.threshold)
        other_left, other_right = np.nonzero(columns >= self.threshold)
        self.left = np.concatenate([self.left, left + first, other_left])
        self.right = np.concatenate([self.right, right, other_right + first])

    def next_merges(self, most: int) -> list[Merge]:
        """Give one or more pairs that are the next merges, in order; none when no pair is left."""
        left, right, count = self._ranked()
        while len(count) < 2 and self.threshold > 1:
            self._search()
            left, right, count = self._ranked()
        if len(count) == 0:
            return []
        if len(count) == 1:
            return [Merge(int(left[0]), int(right[0]), int(count[0]), int(count[0]))]
        pairs = list(zip(left.tolist(), right.tolist(), count.tolist(), strict=True))[: most + 1]
        n = _independent(pairs)
        return [Merge(a, b, c, c - pairs[i + 1][2]) for i, (a, b, c) in enumerate(pairs[:n])]

    def _ranked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.threshold == 0:
            self._search()
        count = self.counts[self.left, self.right]
        keep = count >= self.threshold
        self.left, self.right, count = self.left[keep], self.right[keep], count[keep]
        order = np.lexsort((self.right, self.left, -count))[: _BATCH + 1]
        return self.left[order], self.right[order], count[order]

    def _search(self) -> None:
        table = self.counts[: self.known, : self.known]
        lower = self.threshold // 2 if self.threshold else int(table.max())
        self.threshold = max(1, min(lower, int(table.max()) // 2))
        self.left, self.right = np.nonzero(table >= self.threshold)


def _independent(pairs: list[tuple[int, int, int]]) -> int:
    """Count the leading pairs that one pass may merge, so that each margin is exact; at least one.

    `pairs` are (left, right, count) by rank; the last is never merged, it gives c(q).
    """
    lefts, rights = {pairs[0][0]}, {pairs[0][1]}
    if lefts == rights:
        return 1
    n = 1
    for left, right, _ in pairs[1:-1]:
        if left in rights or right in lefts or left == right:
            break
        lefts.add(left)
        rights.add(right)
        n += 1
    while n > 1:
        left, right, count = pairs[n]
        before = pairs[: n - 1]
        # The lead of the last one over q is known only if the merges before it leave q alone.
        touched = left in {p[1] for p in before} or right in {p[0] for p in before}
        if pairs[n - 1][2] > count and not touched:
            break
        n -= 1
    return n


@numba.njit(cache=True, nogil=True)
def _append(bases: np.ndarray, code_of: np.ndarray, symbols: np.ndarray, n: int, reverse: bool) -> int:
    """Append letter codes and a final break; runs of unknown letters become one break."""
    length = len(bases)
    for i in range(length):
        code = code_of[bases[length - 1 - i if reverse else i]]
        if code == BREAK:
            if symbols[n - 1] == BREAK:
                continue
        elif reverse:
            code = 3 - code
        symbols[n] = code
        n += 1
    if symbols[n - 1] != BREAK:
        symbols[n] = BREAK
        n += 1
    return n


@numba.njit(cache=True, nogil=True)
def _count_pairs(symbols: np.ndarray, n: int, counts: np.ndarray) -> None:
    """Count adjacent pairs, breaks included (the caller clears those)."""
    for i in range(n - 1):
        counts[symbols[i], symbols[i + 1]] += 1


@numba.njit(cache=True, nogil=True)
def _mark(chunk: np.ndarray, m: int, lefts: np.ndarray, rights: np.ndarray, marks: np.ndarray) -> None:
    """Mark each of `m` positions where one of the pairs begins.

    Two forms of one loop, because the compiler turns each into vector code for one width only.
    """
    marks[:] = 0
    for p in range(len(lefts)):
        left, right = lefts[p], rights[p]
        if chunk.itemsize == 1:
            for j in range(m):
                marks[j] |= (chunk[j] == left) & (chunk[j + 1] == right)
        else:
            for j in range(m):
                if chunk[j] == left and chunk[j + 1] == right:
                    marks[j] = 1


@numba.njit(cache=True, nogil=True)
def _copy(source: np.ndarray, start: int, end: int, target: np.ndarray, at: int) -> None:
    """Copy between different arrays; unsigned positions spare a test for negative ones."""
    for j in range(end - start):
        target[np.uintp(at + j)] = source[np.uintp(start + j)]


@numba.njit(cache=True, nogil=True)
def _merge_pass(
    symbols: np.ndarray, n: int, lefts: np.ndarray, rights: np.ndarray, row_of: np.ndarray, made: np.ndarray,
    counts: np.ndarray, chunk: np.ndarray, marks: np.ndarray, words: np.ndarray,
) -> int:
    """Replace pairs left to right, in place; give the new length.

    Each neighbourhood in the input that a replacement touches is subtracted once, and each one
    in the output that has a new symbol is added once. Works on a copy of `len(marks)` symbols at
    a time: marks where pairs begin, and moves the stretches between them. `words` is `marks`
    seen as uint64, to step over empty stretches. The first and last symbols are breaks.
    """
    most, per_word = len(marks), len(marks) // len(words)
    write = read = 1
    before_in = before_out = np.int64(symbols[0])  # last symbol read, and last one written
    fresh = False  # the last one written is new
    while read < n:
        take = min(most, n - read)
        m = min(most, n - 1 - read)
        _copy(symbols, read, read + m + 1, chunk, 0)
        _mark(chunk, m, lefts, rights, marks)
        i = 0
        for word in range((m + per_word - 1) // per_word):
            if words[word] == 0:
                continue
            for hit in range(word * per_word, (word + 1) * per_word):
                if marks[hit] == 0 or hit < i:
                    continue
                a, b = np.int64(chunk[hit]), np.int64(chunk[hit + 1])
                new = np.int64(made[row_of[a], b])
                if hit > i:
                    if fresh:
                        counts[before_in, chunk[i]] -= 1
                        counts[before_out, chunk[i]] += 1
                    _copy(chunk, i, hit, symbols, write)
                    write += hit - i
                    before_in = before_out = np.int64(chunk[hit - 1])
                counts[before_in, a] -= 1
                counts[a, b] -= 1
                counts[before_out, new] += 1
                symbols[write] = new
                write += 1
                before_in, before_out, fresh = b, new, True
                i = hit + 2
        if i < take:
            if fresh:
                counts[before_in, chunk[i]] -= 1
                counts[before_out, chunk[i]] += 1
                fresh = False
            _copy(chunk, i, take, symbols, write)
            write += take - i
            before_in = before_out = np.int64(chunk[take - 1])
            i = take
        read += i
    return write
