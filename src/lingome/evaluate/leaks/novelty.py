"""How much of a generated sequence is copied: its longest exact match to the training data, on either strand.

Exact, at any length. The generated sequences and their reverse complements become one suffix automaton
(Blumer et al. 1985, doi:10.1016/0304-3975(85)90157-4), and the training data are read through it once: time grows
with the training data, memory with the generated bases alone (160 bytes each; many sequences are taken
in groups, each of which reads the training data again).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numba
import numpy as np

from lingome.data.sequence import as_bases, reverse_complement
from lingome.evaluate.baselines.features import base_codes

GROUP_BASES = 4_000_000
BYTES_A_BASE = 160


def longest_matches(sequences: Sequence[str], training: Callable[[], Iterable[np.ndarray]]) -> np.ndarray:
    """Give the length of the longest stretch of each sequence that stands in the training data.

    Parameters
    ----------
    sequences : sequence of str
        Letters; what is not A, C, G or T matches nothing.
    training : callable
        Gives the pieces of the training data, ASCII codes as uint8, from the start each time.

    Returns
    -------
    ndarray of int64, shape (N,)
        In bases, 0 where nothing matches.

    >>> longest_matches(["AACCG", "TTTT", "GGTT"], lambda: [as_bases("GAACCT")]).tolist()
    [4, 2, 4]
    """
    longest = np.zeros(len(sequences), dtype=np.int64)
    first = 0
    while first < len(sequences):
        last = first
        total = 0
        while last < len(sequences) and (last == first or total + len(sequences[last]) <= GROUP_BASES):
            total += len(sequences[last])
            last += 1
        longest[first:last] = _match_group(sequences[first:last], training)
        first = last
    return longest


def _match_group(sequences: Sequence[str], training: Callable[[], Iterable[np.ndarray]]) -> np.ndarray:
    strands = [strand for text in sequences for strand in (as_bases(text), reverse_complement(as_bases(text)))]
    gap = np.full(1, 4, dtype=np.uint8)
    codes = np.concatenate([part for strand in strands for part in (base_codes(strand), gap)])
    starts = np.zeros(len(strands) + 1, dtype=np.int64)
    np.cumsum([len(strand) + 1 for strand in strands], out=starts[1:])
    nodes, link, length = _build(codes)
    best = np.zeros(len(link), dtype=np.int32)
    for piece in training():
        _read(base_codes(piece), nodes, link, length, best)
    for state in np.argsort(-length, kind="stable")[:-1]:  # the root, of length 0, comes last
        if best[state]:
            best[link[state]] = max(best[link[state]], length[link[state]])
    each: np.ndarray = _longest(codes, starts, nodes, link, best).reshape(-1, 2).max(axis=1)
    return each


@numba.njit(cache=True, nogil=True)
def _build(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the automaton of all stretches between letters of code 4: transitions (S, 4), links and lengths (S,)."""
    nodes = np.full((2 * len(codes) + 2, 4), -1, dtype=np.int32)
    link = np.full(2 * len(codes) + 2, -1, dtype=np.int32)
    length = np.zeros(2 * len(codes) + 2, dtype=np.int32)
    n = 1
    last = 0
    for code in codes:
        if code > 3:
            last = 0
            continue
        new = -1
        state = last
        if nodes[last, code] < 0:
            new = n
            n += 1
            length[new] = length[last] + 1
            while state >= 0 and nodes[state, code] < 0:
                nodes[state, code] = new
                state = link[state]
        if state < 0:
            link[new] = 0
            last = new
            continue
        target = nodes[state, code]
        if length[target] != length[state] + 1:
            clone = n
            n += 1
            nodes[clone] = nodes[target]
            link[clone] = link[target]
            length[clone] = length[state] + 1
            link[target] = clone
            while state >= 0 and nodes[state, code] == target:
                nodes[state, code] = clone
                state = link[state]
            target = clone
        if new >= 0:
            link[new] = target
            last = new
        else:
            last = target
    return nodes[:n].copy(), link[:n].copy(), length[:n].copy()


@numba.njit(cache=True, nogil=True)
def _read(
    codes: np.ndarray, nodes: np.ndarray, link: np.ndarray, length: np.ndarray, best: np.ndarray
) -> None:
    """Keep, for each state, the longest stretch of the training data that led there."""
    state = 0
    matched = 0
    for code in codes:
        if code > 3:
            state = 0
            matched = 0
            continue
        while state > 0 and nodes[state, code] < 0:
            state = link[state]
            matched = length[state]
        if nodes[state, code] >= 0:
            state = nodes[state, code]
            matched += 1
            best[state] = max(best[state], matched)


@numba.njit(cache=True, nogil=True)
def _longest(
    codes: np.ndarray, starts: np.ndarray, nodes: np.ndarray, link: np.ndarray, best: np.ndarray
) -> np.ndarray:
    """Walk each sequence again, and take the longest stretch that ends at any of its letters."""
    longest = np.zeros(len(starts) - 1, dtype=np.int64)
    for r in range(len(starts) - 1):
        state = 0
        for i in range(starts[r], starts[r + 1]):
            if codes[i] > 3:
                state = 0
                continue
            state = nodes[state, codes[i]]
            suffix = state
            while suffix > 0 and best[suffix] == 0:
                suffix = link[suffix]
            longest[r] = max(longest[r], best[suffix])
    return longest
