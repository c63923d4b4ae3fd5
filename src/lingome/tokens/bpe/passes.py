"""Sequence as arrays of symbols, and the pass that merges pairs in all of them.

The text is cut into blocks, one array each, so that several cores work on it; where it is
cut changes nothing. Before a pass, each block is given three facts about the symbols to its left: the
last of them, whether they end in a merge, and whether that merge takes the block's first symbol.
That takes only the last two symbols of the block before (an occurrence of a pair shares no position
with one of another pair of the pass), or, when a symbol is merged with itself, whether the run that
ends there is odd. Corrections of the pair counts are collected for each worker and added up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from lingome.tokens.alphabet import Alphabet

_CHUNK = 8192  # symbols looked at together: they and their marks stay in the first-level cache
_SMALLEST = 4096  # blocks shorter than this join the next one
_BLOCK = (1 << 20, 1 << 24)  # capacity of the first blocks, and of the largest


@dataclass
class Block:
    """A stretch of symbols; the first `n` of `symbols` are in use."""

    symbols: np.ndarray
    n: int


class Edge(NamedTuple):
    """What a block must know of its left: symbols that its neighbour's last merge takes, the last symbol, its pair.

    `fresh` is the number of the pair that the symbols to the left end in, -1 if they end in none.
    """

    skip: int
    before: int
    fresh: int


class Pairs:
    """The pairs of a pass, in the form the kernels read.

    Parameters
    ----------
    pairs : sequence of (int, int)
        Left and right symbols; no left is a right, but for one single pair of equal symbols.
    first_new : int
        Symbol of the first pair's merge; the others follow.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], first_new: int) -> None:
        self.pairs = pairs
        self.first_new = first_new
        lefts = sorted({left for left, _ in pairs})
        self.row_of = np.zeros(first_new, dtype=np.uint8)
        self.row_of[lefts] = np.arange(1, len(lefts) + 1)
        self.pair_at = np.full((len(lefts) + 1, first_new), -1, dtype=np.int16)
        for index, (left, right) in enumerate(pairs):
            self.pair_at[self.row_of[left], right] = index
        self.left = np.array([left for left, _ in pairs], dtype=np.int64)
        self.right = np.array([right for _, right in pairs], dtype=np.int64)

    def find(self, left: int, right: int) -> int:
        """Give the number of a pair, -1 if it is none."""
        return int(self.pair_at[self.row_of[left], right])


class Changes:
    """How the counts change in a pass, collected by one worker."""

    def __init__(self, pairs: Pairs) -> None:
        n = len(pairs.pairs)
        self.left = np.zeros((pairs.first_new, n), dtype=np.int64)  # symbol before, pair
        self.right = np.zeros((n, pairs.first_new), dtype=np.int64)  # pair, symbol after
        self.both = np.zeros((n, n), dtype=np.int64)  # pair, pair right after it
        self.hits = np.zeros(n, dtype=np.int64)

    def apply(self, pairs: Pairs, counts: np.ndarray) -> None:
        """Correct the table `counts` of pairs, int64, shape (symbols, symbols), in place."""
        old = slice(pairs.first_new)
        new = pairs.first_new + np.arange(len(pairs.pairs))
        for index, (left, right) in enumerate(pairs.pairs):
            counts[old, left] -= self.left[:, index]
            counts[old, new[index]] += self.left[:, index]
            counts[right, old] -= self.right[index]
            counts[new[index], old] += self.right[index]
            np.subtract.at(counts[right], pairs.left, self.both[index])
            counts[new[index], new] += self.both[index]
            counts[left, right] -= self.hits[index]


class Text:
    """Sequences as symbols: letters, a break between them, and merges so far.

    Parameters
    ----------
    alphabet : Alphabet
        Letters 0..A-1; the break is A.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet = alphabet
        self.blocks: list[Block] = []
        self._fill: Block | None = None
        self.append(np.full(1, alphabet.unknown, dtype=np.uint8))

    def append(self, symbols: np.ndarray) -> None:
        """Add `symbols`, shape (n,), at the end in blocks; the first are small, so that short text has several."""
        start = 0
        while start < len(symbols):
            if self._fill is None or self._fill.n == len(self._fill.symbols) or \
                    self._fill.symbols.dtype != symbols.dtype:
                capacity = min(_BLOCK[1], _BLOCK[0] << (len(self.blocks) // 8))
                self._fill = Block(np.empty(capacity, dtype=symbols.dtype), 0)
                self.blocks.append(self._fill)
            block = self._fill
            take = min(len(symbols) - start, len(block.symbols) - block.n)
            block.symbols[block.n : block.n + take] = symbols[start : start + take]
            block.n += take
            start += take

    def append_letters(self, letters: np.ndarray, reverse: bool = False) -> None:
        """Add a sequence of ASCII `letters`, shape (n,), and a break; with `reverse` its reverse complement."""
        for start in range(0, len(letters), _BLOCK[1]):
            end = min(len(letters), start + _BLOCK[1])
            part = letters[len(letters) - end : len(letters) - start] if reverse else letters[start:end]
            codes = np.empty(len(part) + 1, dtype=np.uint8)
            last = end == len(letters)
            n = _letter_codes(part, self.alphabet.codes, self.alphabet.unknown, reverse, last, codes)
            self.append(codes[:n])

    def append_encoded(self, letters: np.ndarray, encode: Callable[[np.ndarray], np.ndarray], reverse: bool) -> None:
        """Add a sequence that is merged already, and a break.

        Parameters
        ----------
        letters : ndarray of uint8, shape (n,)
            ASCII letters.
        encode : callable
            Gives the symbols of letters, shape (m,).
        reverse : bool
            Add the reverse complement instead.
        """
        if reverse:
            upper = np.frombuffer(self.alphabet.letters[::-1].encode() + b"N", dtype=np.uint8)
            letters = upper[self.alphabet.codes[letters[::-1]]]
        symbols = encode(letters)
        broken = symbols == self.alphabet.unknown
        self.append(symbols[~(broken & np.append(False, broken[:-1]))])  # one break for a run of unknown letters
        self.append(np.full(1, self.alphabet.unknown, dtype=self.blocks[-1].symbols.dtype))

    def count_pairs(self, counts: np.ndarray) -> None:
        """Count neighbouring symbols into `counts`, shape (symbols, symbols); pairs with a break are left at 0."""
        last = self.alphabet.unknown
        for block in self.blocks:
            _count_pairs(block.symbols, block.n, last, counts)
            last = int(block.symbols[block.n - 1])
        self._clear(counts)

    def count_symbols(self, n_symbols: int) -> np.ndarray:
        """Count each symbol, int64, shape (n_symbols,); breaks are 0."""
        counts = np.zeros(n_symbols, dtype=np.int64)
        for block in self.blocks:
            counts += np.bincount(block.symbols[: block.n], minlength=n_symbols)
        counts[self.alphabet.unknown] = 0
        return counts

    def widen(self) -> None:
        """Hold symbols in two bytes from now on; each block lets its old array go before the next is copied."""
        for block in self.blocks:
            if block.symbols.dtype == np.uint8:
                block.symbols = block.symbols[: block.n].astype(np.uint16)

    def merge(
        self, chosen: Sequence[tuple[int, int]], first_new: int, counts: np.ndarray, pool: Executor, workers: int
    ) -> None:
        """Replace all occurrences of some pairs, and correct the counts.

        Parameters
        ----------
        chosen : sequence of (int, int)
            Left and right symbols; see `Pairs`.
        first_new : int
            Symbol of the first pair's merge; the others follow.
        counts : ndarray of int64, shape (symbols, symbols)
            Occurrences of each pair, changed in place.
        pool : Executor
            Runs the workers.
        workers : int
            How many share the blocks.
        """
        pairs = Pairs(chosen, first_new)
        if first_new + len(chosen) > 256:
            self.widen()
        edges = self._edges(pairs)
        workers = min(workers, len(self.blocks))
        for changes in pool.map(lambda worker: self._work(pairs, edges, worker, workers), range(workers)):
            changes.apply(pairs, counts)
        self._clear(counts)
        self.join_small()

    def _clear(self, counts: np.ndarray) -> None:
        counts[self.alphabet.unknown, :] = 0
        counts[:, self.alphabet.unknown] = 0

    def _edges(self, pairs: Pairs) -> list[tuple[Edge, int]]:
        """Give each block's left edge, and the symbol after its last, before any block changes."""
        twin = pairs.left[0] == pairs.right[0]
        edge = Edge(0, self.alphabet.unknown, -1)
        edges = []
        for index, block in enumerate(self.blocks):
            last = index + 1 == len(self.blocks)
            after = self.alphabet.unknown if last else int(self.blocks[index + 1].symbols[0])
            edges.append((edge, after))
            edge = _edge_of_run(block, edge, after, pairs) if twin else _edge_of_pairs(block, after, pairs)
        return edges

    def _work(self, pairs: Pairs, edges: list[tuple[Edge, int]], worker: int, workers: int) -> Changes:
        changes = Changes(pairs)
        for block, (edge, after) in list(zip(self.blocks, edges, strict=True))[worker::workers]:
            dtype = block.symbols.dtype
            chunk = np.empty(_CHUNK + 1, dtype=dtype)
            marks = np.empty(_CHUNK, dtype=dtype)
            block.n = _merge_block(
                block.symbols, block.n, edge.skip, edge.before, edge.fresh, after,
                pairs.left.astype(dtype), pairs.right.astype(dtype), pairs.row_of, pairs.pair_at, pairs.first_new,
                changes.left, changes.right, changes.both, changes.hits, chunk, marks, marks.view(np.uint64),
            )
        return changes

    def join_small(self) -> None:
        """Join blocks that have become short, so that an edge is always decided by one neighbour."""
        if len(self.blocks) == 1 or min(block.n for block in self.blocks) >= _SMALLEST:
            return
        joined: list[Block] = []
        for block in self.blocks:
            if joined and min(block.n, joined[-1].n) < _SMALLEST:
                before = joined[-1]
                symbols = np.concatenate([before.symbols[: before.n], block.symbols[: block.n]])
                joined[-1] = Block(symbols, len(symbols))
            else:
                joined.append(block)
        self.blocks = joined


def _edge_of_pairs(block: Block, after: int, pairs: Pairs) -> Edge:
    """Say how a block ends, when no left symbol of the pass is a right one."""
    last = int(block.symbols[block.n - 1])
    across = pairs.find(last, after)
    if across >= 0:
        return Edge(1, after, across)
    return Edge(0, last, pairs.find(int(block.symbols[block.n - 2]), last) if block.n > 1 else -1)


def _edge_of_run(block: Block, edge: Edge, after: int, pairs: Pairs) -> Edge:
    """Say how a block ends, when a symbol is merged with itself."""
    symbol = int(pairs.left[0])
    run = _run_at_end(block.symbols, block.n, symbol)
    if run == block.n:
        run -= edge.skip
    if run % 2 and after == symbol:
        return Edge(1, symbol, 0)
    return Edge(0, int(block.symbols[block.n - 1]), 0 if run and run % 2 == 0 else -1)


# Shapes in the kernels: letters (n,), code_of (256,), codes (n + 1,), symbols (capacity,) of which n are in use,
# counts (symbols, symbols), lefts and rights (pairs,), row_of (symbols,), pair_at (rows, symbols), change_left
# (symbols, pairs), change_right (pairs, symbols), change_both (pairs, pairs), hits (pairs,), chunk (_CHUNK + 1,), marks
# (_CHUNK,), and words, which are the marks seen as uint64.


@numba.njit(cache=True, nogil=True)
def _letter_codes(
    letters: np.ndarray, code_of: np.ndarray, unknown: int, reverse: bool, last: bool, codes: np.ndarray
) -> int:
    """Write letter codes, runs of unknown letters as one break, and with `last` a break at the end."""
    n = 0
    length = len(letters)
    broken = False
    for i in range(length):
        code = code_of[letters[length - 1 - i if reverse else i]]
        if code == unknown:
            if broken:
                continue
            broken = True
        else:
            broken = False
            if reverse:
                code = unknown - 1 - code
        codes[n] = code
        n += 1
    if last and not broken:
        codes[n] = unknown
        n += 1
    return n


@numba.njit(cache=True, nogil=True)
def _count_pairs(symbols: np.ndarray, n: int, before: int, counts: np.ndarray) -> None:
    """Count each symbol with the one before it."""
    counts[before, symbols[0]] += 1
    for i in range(1, n):
        counts[symbols[i - 1], symbols[i]] += 1


@numba.njit(cache=True, nogil=True)
def _run_at_end(symbols: np.ndarray, n: int, symbol: int) -> int:
    """Count how often a symbol stands at the end."""
    run = 0
    while run < n and symbols[n - 1 - run] == symbol:
        run += 1
    return run


@numba.njit(cache=True, nogil=True)
def _mark(chunk: np.ndarray, m: int, lefts: np.ndarray, rights: np.ndarray, marks: np.ndarray) -> None:
    """Mark each of `m` positions where one of the pairs begins.

    Two forms of one loop, because the compiler turns each into vector code for one width only.
    """
    marks[:] = 0
    for p in range(len(lefts)):
        left = lefts[p]
        right = rights[p]
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
def _merge_block(
    symbols: np.ndarray, n: int, skip: int, before: int, fresh: int, after: int, lefts: np.ndarray,
    rights: np.ndarray, row_of: np.ndarray, pair_at: np.ndarray, first_new: int, change_left: np.ndarray,
    change_right: np.ndarray, change_both: np.ndarray, hits: np.ndarray, chunk: np.ndarray, marks: np.ndarray,
    words: np.ndarray,
) -> int:
    """Replace pairs left to right, in place; give the new length.

    Each neighbourhood that a replacement changes is noted once: a symbol before a pair, a symbol
    after one, or two pairs side by side. Works on a copy of `len(marks)` symbols at a time: marks
    where pairs begin, and moves the stretches between them. `words` is `marks` seen as uint64, to
    step over empty stretches. See `Edge` for `skip`, `before`, `fresh`; `after` follows the last symbol.
    """
    most = len(marks)
    per_word = len(marks) // len(words)
    write = 0
    read = skip
    last = np.int64(before)
    pair = np.int64(fresh)
    while read < n:
        take = min(most, n - read)
        _copy(symbols, read, read + take, chunk, 0)
        chunk[take] = symbols[read + take] if read + take < n else after
        _mark(chunk, take, lefts, rights, marks)
        i = 0
        for word in range((take + per_word - 1) // per_word):
            if words[word] == 0:
                continue
            for hit in range(word * per_word, (word + 1) * per_word):
                if marks[hit] == 0 or hit < i:
                    continue
                found = np.int64(pair_at[row_of[chunk[hit]], chunk[hit + 1]])
                if hit > i:
                    if pair >= 0:
                        change_right[pair, chunk[i]] += 1
                    _copy(chunk, i, hit, symbols, write)
                    write += hit - i
                    last = np.int64(chunk[hit - 1])
                    pair = np.int64(-1)
                if pair >= 0:
                    change_both[pair, found] += 1
                else:
                    change_left[last, found] += 1
                hits[found] += 1
                symbols[write] = first_new + found
                write += 1
                pair = found
                i = hit + 2
        if i < take:
            if pair >= 0:
                change_right[pair, chunk[i]] += 1
            _copy(chunk, i, take, symbols, write)
            write += take - i
            last = np.int64(chunk[take - 1])
            pair = np.int64(-1)
            i = take
        read += i
    return write
