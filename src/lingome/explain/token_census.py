"""Count tokens over sequence in one pass: on both strands, and inside annotated stretches.

Each record is read, encoded and let go, so memory is that of the longest record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numba
import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.core.seeds import generator
from lingome.data.interval import Interval
from lingome.data.sequence import reverse_complement
from lingome.tokens.alphabet import DNA
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer

MIN_WINDOW = 20
"""Tokens of the shortest window that is sampled, as in GROVER."""

Stretches = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Starts and ends by record: int64, ascending, none touching another."""


class TokenCensus(NamedTuple):
    """What a pass over sequence found.

    Parameters
    ----------
    counts : ndarray of int64, shape (V,)
        Occurrences of each id.
    reverse_counts : ndarray of int64, shape (V,), or None
        Occurrences when the reverse complement of every record is encoded; None if no DNA.
    inside : dict of str to ndarray of int64, shape (V,)
        By annotation: occurrences whose middle base lies in it.
    letters : int
        Letters of the alphabet read (no N).
    letters_inside : dict of str to int
        By annotation: how many of them lie in it.
    lengths : dict of str to int
        Letters of each record, N among them.
    windows : list of ndarray of int
        Sampled windows of ids, without special tokens.
    """

    counts: np.ndarray
    reverse_counts: np.ndarray | None
    inside: dict[str, np.ndarray]
    letters: int
    letters_inside: dict[str, int]
    lengths: dict[str, int]
    windows: list[np.ndarray]


def merge_intervals(intervals: Iterable[Interval]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Join intervals of each chromosome that overlap or touch; empty ones are left out.

    Returns
    -------
    dict of str to (ndarray, ndarray)
        For each chromosome starts and ends, 0-based half-open, int64, shape (stretches,) each, in order.

    Examples
    --------

    >>> starts, ends = merge_intervals([Interval("c", 4, 9), Interval("c", 0, 4), Interval("c", 12, 13)])["c"]
    >>> starts.tolist(), ends.tolist()
    ([0, 12], [9, 13])
    """
    by_chrom: dict[str, list[tuple[int, int]]] = {}
    for one in intervals:
        if one.end > one.start:
            by_chrom.setdefault(one.chrom, []).append((one.start, one.end))
    merged = {}
    for chrom, pairs in by_chrom.items():
        starts, ends = np.array(sorted(pairs), dtype=np.int64).T
        reached = np.maximum.accumulate(ends)
        apart = np.flatnonzero(starts[1:] > reached[:-1])
        first = np.concatenate([[0], apart + 1])
        last = np.concatenate([apart, [len(starts) - 1]])
        merged[chrom] = (starts[first], reached[last])
    return merged


def take_census(
    records: Iterable[tuple[str, np.ndarray]],
    tokenizer: Tokenizer,
    annotations: Mapping[str, Stretches] | None = None,
    *,
    n_windows: int = 0,
    window_tokens: int = 510,
    seed: int = 0,
    total: int | None = None,
    where: object | None = None,
) -> TokenCensus:
    """Count every token of some records in one pass.

    Parameters
    ----------
    records : iterable of (str, ndarray of uint8, shape (letters,))
        Name and ASCII letters of each record.
    tokenizer : Tokenizer
        The vocabulary.
    annotations : mapping, optional
        By name: `merge_intervals` of what it covers, 0-based half-open.
    n_windows, window_tokens : int
        Sample so many windows of known sequence, uniformly and each stretch of it at most once:
        records are cut side by side into windows, the last of a stretch shorter but not below
        `MIN_WINDOW` tokens.
    seed : int
        Of the sample.
    total : int, optional
        Letters in all, for the progress bar.
    where : object, optional
        What errors name as the place.

    Raises
    ------
    DataError
        If there is no known letter.
    """
    annotations = annotations or {}
    size = tokenizer.vocab_size
    counts = np.zeros(size, dtype=np.int64)
    reverse = np.zeros(size, dtype=np.int64) if tokenizer.alphabet is DNA else None
    inside = {name: np.zeros(size, dtype=np.int64) for name in annotations}
    letters_inside = dict.fromkeys(annotations, 0)
    steps = _steps(tokenizer)
    sample = _Sample(n_windows, window_tokens, tokenizer.unk_id, seed)
    lengths: dict[str, int] = {}
    letters = 0
    with track("counting tokens", total, "letters") as task:
        for name, sequence in records:
            lengths[name] = len(sequence)
            ids = _encode(tokenizer, sequence)
            _tally(ids, counts)
            letters += _known(sequence, tokenizer.alphabet.codes, tokenizer.alphabet.unknown, *_WHOLE)
            for title, stretches in annotations.items():
                if name in stretches:
                    _tally_inside(ids, steps, tokenizer.token_lengths // 2, *stretches[name], inside[title])
                    letters_inside[title] += _known(
                        sequence, tokenizer.alphabet.codes, tokenizer.alphabet.unknown, *stretches[name]
                    )
            sample.add(name, ids)
            del ids
            if reverse is not None:
                _tally(_encode(tokenizer, reverse_complement(sequence)), reverse)
            task.advance(len(sequence), name)
    if letters == 0:
        raise DataError(
            "there is no known letter to count", where=where,
            got=f"{len(lengths):,} records of unknown letters only (N)",
            expected=f"letters of {tokenizer.alphabet.letters}",
        )
    for known in (counts, *inside.values(), *([] if reverse is None else [reverse])):
        known[tokenizer.special_ids] = 0
    return TokenCensus(counts, reverse, inside, letters, letters_inside, lengths, sample.windows)


class _Sample:
    """Windows drawn uniformly from a stream: each gets a random number, and the smallest numbers stay."""

    def __init__(self, n_windows: int, window_tokens: int, unk_id: int, seed: int) -> None:
        self.n_windows = n_windows
        self.window_tokens = window_tokens
        self.unk_id = unk_id
        self.seed = seed
        self.windows: list[np.ndarray] = []
        self._keys = np.zeros(0)

    def add(self, name: str, ids: np.ndarray) -> None:
        """Offer the windows of a record."""
        if not self.n_windows:
            return
        breaks = np.concatenate([[-1], np.flatnonzero(ids == self.unk_id), [len(ids)]])
        long = np.flatnonzero(np.diff(breaks) > MIN_WINDOW)
        bounds = [
            (start, min(start + self.window_tokens, int(breaks[index + 1])))
            for index in long.tolist()
            for start in range(int(breaks[index]) + 1, int(breaks[index + 1]), self.window_tokens)
        ]
        bounds = [(start, end) for start, end in bounds if end - start >= MIN_WINDOW]
        keys = np.concatenate([self._keys, generator(self.seed, "windows", name).random(len(bounds))])
        kept = np.sort(np.argsort(keys, kind="stable")[: self.n_windows])
        held = len(self.windows)
        self.windows = [
            self.windows[index] if index < held else ids[slice(*bounds[index - held])].copy() for index in kept.tolist()
        ]
        self._keys = keys[kept]


_WHOLE = (np.zeros(1, dtype=np.int64), np.full(1, np.iinfo(np.int64).max))


def _encode(tokenizer: Tokenizer, sequence: np.ndarray) -> np.ndarray:
    return tokenizer.encode_flat(sequence, np.array([0, len(sequence)], dtype=np.int64))[0]


def _steps(tokenizer: Tokenizer) -> np.ndarray:
    """Give the letters from the beginning of each token to that of the next."""
    if isinstance(tokenizer, KmerTokenizer) and tokenizer.overlap:
        return np.ones(tokenizer.vocab_size, dtype=np.int64)
    steps = tokenizer.token_lengths.copy()
    steps[tokenizer.unk_id] = 1
    return steps


# Shapes in the kernels: ids (n,), counts, inside, steps and halves (V,), starts and ends (stretches,), sequence
# (letters,), codes (256,).


@numba.njit(cache=True, nogil=True)
def _tally(ids: np.ndarray, counts: np.ndarray) -> None:
    """Add the occurrences of each id, without the int64 copy that bincount makes."""
    for i in range(len(ids)):
        counts[ids[i]] += 1


@numba.njit(cache=True, nogil=True)
def _tally_inside(
    ids: np.ndarray, steps: np.ndarray, halves: np.ndarray, starts: np.ndarray, ends: np.ndarray, inside: np.ndarray
) -> None:
    """Add the occurrences of each id whose middle base (start + length // 2) lies in a stretch."""
    position = 0
    at = 0
    for i in range(len(ids)):
        middle = position + halves[ids[i]]
        while at < len(ends) and ends[at] <= middle:
            at += 1
        if at == len(ends):
            return
        if starts[at] <= middle:
            inside[ids[i]] += 1
        position += steps[ids[i]]


@numba.njit(cache=True, nogil=True)
def _known(sequence: np.ndarray, codes: np.ndarray, unknown: int, starts: np.ndarray, ends: np.ndarray) -> int:
    """Count letters of the alphabet in some stretches."""
    found = 0
    for j in range(len(starts)):
        for i in range(starts[j], min(ends[j], len(sequence))):
            if codes[sequence[i]] != unknown:
                found += 1
    return found
