"""Exact byte-pair training on uncut sequence, on several cores.

Sennrich et al. 2016, doi:10.18653/v1/P16-1162; for genomes Sanabria et al. 2024,
doi:10.1038/s42256-024-00872-0. The genome is a row of small integers, shortened in place:

1. Symbols are uint8 until the 256th, then uint16 (by then the row is several times shorter).
2. A dense table holds the count of every adjacent pair, overlapping ones included ("AAA" has two
   "AA"), and is corrected at each replacement. Nothing is counted again.
3. One pass makes several merges. Let p1 > p2 > ... be the pairs by rank (higher count first, then
   the smaller left, then the smaller right), and take the longest prefix in which no left symbol
   is also a right symbol. Occurrences of these pairs share no position, so merging one changes
   the count of no other, and one left-to-right pass equals one pass each. A pair made by the
   merges, (y, X) with X = (a, b), occurs at most as often as (y, a) did; (y, a) is not in the
   prefix (a would be left and right), so it counts at most c(q), q being the pair after the
   prefix. Hence all members with a count strictly above c(q) are exactly the next merges.
4. A pass works on blocks of the row in parallel (`lingome.tokens.bpe.passes`); the number of cores changes nothing.
5. Merges are the whole state: the row after them is the encoding of the text, made in one go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from lingome.core.errors import ConfigError, DataError, LingomeError
from lingome.core.progress import say, track
from lingome.tokens.alphabet import DNA, Alphabet
from lingome.tokens.bpe.passes import Text

MAX_MERGES = 16_000
"""Limit of merges: the table of pairs has (merges + letters + 1) squared cells of 8 bytes."""

_BATCH = 32
_SAVE_EVERY_S = 20.0

Encode = Callable[[np.ndarray], np.ndarray]


class Merge(NamedTuple):
    """One merge: symbols, how often the pair occurred when it was chosen, and its lead over the next pair."""

    left: int
    right: int
    occurrences: int
    margin: int


class Learnt(NamedTuple):
    """What `learn_merges` gives.

    Parameters
    ----------
    merges : list of Merge
        In order. Symbols are letters 0..A-1, A a break that never pairs, then one per merge.
    counts : ndarray of int64, shape (A + 1 + merges,)
        Occurrences of each symbol once all merges are made.
    seconds : dict of str to float
        Wall time of ``reading``, ``choosing`` and ``merging``.
    """

    merges: list[Merge]
    counts: np.ndarray
    seconds: dict[str, float]


class Known(NamedTuple):
    """Merges of an earlier run to go on from, and the function that encodes letters to symbols with them."""

    merges: Sequence[Merge]
    encode: Encode


def learn_merges(
    sequences: Iterable[np.ndarray],
    merges: int,
    *,
    alphabet: Alphabet = DNA,
    both_strands: bool = False,
    threads: int = 1,
    known: Known | None = None,
    save: Callable[[Sequence[Merge]], None] | None = None,
) -> Learnt:
    """Learn merges; fewer than asked when no pair is left.

    Parameters
    ----------
    sequences : iterable of ndarray of uint8, shape (letters,) each
        ASCII letters; a letter outside the alphabet, and the end of a sequence, break it. Each is
        taken in and let go.
    merges : int
        How many to learn, `known` ones included.
    alphabet : Alphabet
        Its letters.
    both_strands : bool
        Count the reverse complement of each sequence as well (DNA).
    threads : int
        Cores to use; the result does not depend on it.
    known : Known, optional
        Merges to go on from.
    save : callable, optional
        Given the merges so far every 20 seconds, and when the block is left by an interrupt.

    Raises
    ------
    ConfigError
        If `merges` is below 1 or above `MAX_MERGES`, or there are no two strands.
    DataError
        If there are no two neighbouring letters to learn from.
    """
    if not 1 <= merges <= MAX_MERGES:
        raise ConfigError("the number of merges is out of range", got=merges, expected=f"1 to {MAX_MERGES}")
    if both_strands and alphabet is not DNA:
        raise ConfigError("only DNA has two strands", where="both_strands", got=alphabet.name)
    started = time.perf_counter()
    text = _read(sequences, alphabet, both_strands, known)
    learnt = list(known.merges) if known else []
    first = alphabet.unknown + 1
    counts = np.zeros((merges + first, merges + first), dtype=np.int64)
    text.count_pairs(counts)
    if not learnt and not counts.any():
        raise DataError(
            "there is nothing to learn merges from", got=f"no two neighbouring letters of {alphabet.letters}",
            hint="check the kind of sequence, and that it is not all N" if alphabet is DNA else "check the alphabet",
        )
    seconds = {"reading": time.perf_counter() - started, "choosing": 0.0, "merging": 0.0}
    try:
        _learn(text, counts, learnt, merges, threads, save, seconds)
    except BaseException:
        if save and learnt:
            _try(save, learnt)
        raise
    return Learnt(learnt, text.count_symbols(first + len(learnt)), seconds)


def _read(sequences: Iterable[np.ndarray], alphabet: Alphabet, both_strands: bool, known: Known | None) -> Text:
    text = Text(alphabet)
    with track("reading", unit="bases") as task:
        for letters in sequences:
            for reverse in (False, True) if both_strands else (False,):
                if known:
                    text.append_encoded(letters, known.encode, reverse)
                else:
                    text.append_letters(letters, reverse)
            task.advance(len(letters))
            del letters  # before the next record is read
    text.join_small()
    return text


def _learn(
    text: Text, counts: np.ndarray, learnt: list[Merge], merges: int, threads: int,
    save: Callable[[Sequence[Merge]], None] | None, seconds: dict[str, float],
) -> None:
    """Choose and merge until `learnt` is long enough or no pair is left."""
    first = text.alphabet.unknown + 1
    candidates = Candidates(counts, first + len(learnt))
    clock = saved = time.perf_counter()
    with track("training the vocabulary", merges, "merges") as task, ThreadPoolExecutor(threads) as pool:
        task.advance(len(learnt))
        while len(learnt) < merges:
            chosen = candidates.next_merges(min(_BATCH, merges - len(learnt)))
            if not chosen:
                break
            chose = time.perf_counter()
            text.merge([merge[:2] for merge in chosen], first + len(learnt), counts, pool, threads)
            merged = time.perf_counter()
            candidates.add_new(first + len(learnt), len(chosen))
            learnt.extend(chosen)
            task.advance(len(chosen), f"count {chosen[-1].occurrences:,}")
            seconds["choosing"] += chose - clock
            seconds["merging"] += merged - chose
            clock = merged
            if save and clock - saved > _SAVE_EVERY_S:
                _try(save, learnt)
                saved = clock


def _try(save: Callable[[Sequence[Merge]], None], learnt: Sequence[Merge]) -> None:
    """Save; a full disk must neither end a training that can go on, nor hide why it ended."""
    try:
        save(learnt)
    except LingomeError as error:
        say(f"the merges so far could not be saved: {error}")


class Candidates:
    """The pairs that can be among the next merges.

    Holds every pair that counts at least `threshold`; the table is searched again, with half the
    top count as threshold, only when fewer than two are left. Counts of old pairs only fall, and
    pairs with new symbols are added by `add_new`, so none is missed.

    Parameters
    ----------
    counts : ndarray of int64, shape (S, S)
        Count of each pair of symbols; shared with, and changed by, the passes.
    known : int
        Symbols that exist.
    """

    def __init__(self, counts: np.ndarray, known: int) -> None:
        self.counts = counts
        self.known = known
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
        self.left = self.left[keep]
        self.right = self.right[keep]
        count = count[keep]
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
    lefts = {pairs[0][0]}
    rights = {pairs[0][1]}
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
