"""Does the test set repeat the training set? Copies, near copies, overlap, distance.

Checks and thresholds follow the leak linter seqleak: exact and reverse-complement copies warn from
0.5 % and fail from 5 % of a split; near duplicates, which share at least half of their canonical
21-mers, warn from 1 % and fail from 10 %. Overlapping windows are judged like copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import sparse

from lingome.core.warnings import RunWarning
from lingome.data.examples import Examples
from lingome.data.interval import Interval
from lingome.evaluate.baselines.features import joined_codes

K = 21
SHARED = 0.5
LIMITS = {"copies": (0.005, 0.05), "near": (0.01, 0.10)}
PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"))
_COMPLEMENT = str.maketrans("ACGTacgt", "TGCATGCA")


Verdict = Literal["ok", "warn", "fail"]


class LeakRow(NamedTuple):
    """A row of the table ``leaks``.

    Parameters
    ----------
    check : str
        What was looked for.
    pair : str
        Two splits, ``train-test``; items of the second are looked up in the first.
    n : int
        Items of the second split that were found.
    share : float
        The same as a share of the second split.
    verdict : str
        ``ok``, ``warn`` or ``fail``.
    what : str
        In words.
    """

    check: str
    pair: str
    n: int
    share: float
    verdict: Verdict
    what: str


def check_leaks(examples: Examples) -> list[LeakRow]:
    """Look for items of one split in another.

    Near duplicates do not count exact or reverse-complement copies again. Overlap and distance are
    checked only when the examples have intervals. Pairs with an empty split are left out.
    """
    parts = {name: np.flatnonzero(examples.splits == name) for name in ("train", "valid", "test")}
    pairs = [pair for pair in PAIRS if len(parts[pair[0]]) and len(parts[pair[1]])]
    sequences = [sequence.upper() for sequence in examples.sequences]
    reverse = [sequence.translate(_COMPLEMENT)[::-1] for sequence in sequences]
    shared = _KmerIndex(sequences) if pairs else None
    rows: list[LeakRow] = []
    for first, second in pairs:
        known = {sequences[i] for i in parts[first]}
        exact = np.array([sequences[i] in known for i in parts[second]])
        turned = np.array([reverse[i] in known and reverse[i] != sequences[i] for i in parts[second]])
        assert shared is not None
        near = shared.found(parts[first], parts[second]) & ~exact & ~turned
        distinct = len({sequences[i] for i in parts[second][exact]})
        pair = f"{first}-{second}"
        n = len(exact)
        rows.append(_row("exact copies", pair, exact, "copies", f"{_of(exact, n, second)} ({distinct} distinct) "
                         f"are in {first} letter by letter"))
        rows.append(_row("reverse-complement copies", pair, turned, "copies",
                         f"the other strand of {_of(turned, n, second)} is in {first}"))
        rows.append(_row("near duplicates", pair, near, "near",
                         f"{_of(near, n, second)} share at least half of their canonical {K}-mers with one in {first}"))
        if examples.intervals is not None:
            rows.extend(_place_rows(
                [examples.intervals[int(i)] for i in parts[first]], [examples.intervals[int(i)] for i in parts[second]],
                first, second,
            ))
    return rows


def _of(found: np.ndarray, n: int, split: str) -> str:
    return f"{int(found.sum())} of {n} {split} sequences"


def _row(check: str, pair: str, found: np.ndarray, limits: str, what: str) -> LeakRow:
    share = float(found.mean())
    warn, fail = LIMITS[limits]
    verdict: Verdict = "fail" if share >= fail else "warn" if share >= warn else "ok"
    return LeakRow(check, pair, int(found.sum()), share, verdict, what)


class _KmerIndex:
    """Which canonical 21-mers sequences have in common, as a sparse matrix of ones.

    `sizes` counts the distinct 21-mers of each sequence; the matrix leaves out those that only one
    sequence has, which are most.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        codes, owner = joined_codes(sequences)
        kmers = canonical_kmers(codes, K)
        keep = kmers >= 0
        # 42 bits of k-mer and 22 of owner fill one integer, so that one plain sort groups both.
        assert len(sequences) < 2**22, "a table of examples has fewer than four million rows"
        packed = (kmers[keep].astype(np.uint64) << np.uint64(22)) | owner[: len(keep)][keep].astype(np.uint64)
        packed.sort()
        packed = packed[np.append(True, packed[1:] != packed[:-1])] if len(packed) else packed
        kmer = packed >> np.uint64(22)
        who = (packed & np.uint64(2**22 - 1)).astype(np.int64)
        self.sizes = np.bincount(who, minlength=len(sequences))
        again = np.append(False, kmer[1:] == kmer[:-1]) if len(kmer) else np.zeros(0, dtype=bool)
        several = again | np.append(again[1:], False) if len(kmer) else again
        column = np.cumsum(~again)[several]
        ones = np.ones(len(column), dtype=np.int32)
        shape = (len(sequences), int(column.max()) + 1 if len(column) else 1)
        self.matrix = sparse.csr_matrix((ones, (who[several], column)), shape)

    def found(self, references: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Say of each query whether one reference shares half of the smaller one's 21-mers."""
        reference = self.matrix[references].T.tocsr()
        hits = np.zeros(len(queries), dtype=bool)
        for start in range(0, len(queries), 2000):
            block = queries[start : start + 2000]
            common = (self.matrix[block] @ reference).tocoo()
            smaller = np.minimum(self.sizes[block][common.row], self.sizes[references][common.col])
            hits[start + common.row[common.data >= SHARED * smaller]] = True
        return hits


def canonical_kmers(codes: np.ndarray, k: int = K) -> np.ndarray:
    """Number the smaller of each k-mer and its reverse complement; -1 over letters not A, C, G, T.

    A sequence and its reverse complement have the same set.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n,)
        As `lingome.evaluate.baselines.features.base_codes`.
    k : int
        At most 31.

    Returns
    -------
    ndarray of int64, shape (n - k + 1,)
        In base 4, the first base highest.
    """
    n = len(codes) - k + 1
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    letter = (codes & 3).astype(np.int64)
    pieces = [(1, letter, 3 - letter, codes > 3)]
    while 2 * pieces[-1][0] <= k:
        pieces.append(_append(pieces[-1], pieces[-1]))
    whole = pieces.pop()
    for piece in reversed(pieces):
        if whole[0] + piece[0] <= k:
            whole = _append(whole, piece)
    _, forward, backward, bad = whole
    return np.where(bad, -1, np.minimum(forward, backward))


_Piece = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def _append(first: _Piece, second: _Piece) -> _Piece:
    """Make the words of length a + b from those of length a and, a bases on, those of length b."""
    (a, forward, backward, bad) = first
    (b, forward_b, backward_b, bad_b) = second
    n = len(forward_b) - a
    return (
        a + b,
        (forward[:n] << (2 * b)) | forward_b[a:],
        (backward_b[a:] << (2 * a)) | backward[:n],
        bad[:n] | bad_b[a:],
    )


def _place_rows(
    first: Sequence[Interval], second: Sequence[Interval], first_name: str, second_name: str
) -> list[LeakRow]:
    pair = f"{first_name}-{second_name}"
    gap = nearest_gap(first, second)
    overlap = gap < 0
    window = max(interval.length_bp for interval in [*first, *second])
    close = (gap >= 0) & (gap < window)
    rows = [_row("overlapping windows", pair, overlap, "copies",
                 f"{int(overlap.sum())} of {len(gap)} {second_name} windows overlap one in {first_name}")]
    reached = gap[np.isfinite(gap)]
    if len(reached):
        nearest = f"the nearest two windows are {max(0, int(reached.min())):,} bp apart"
    else:
        nearest = "the two lie on different chromosomes"
    rows.append(LeakRow(
        "distance", pair, int(close.sum()), float(close.mean()), "warn" if close.any() else "ok",
        f"{nearest}; a gap of at least one window ({window:,} bp) keeps neighbours apart",
    ))
    return rows


def nearest_gap(first: Sequence[Interval], second: Sequence[Interval]) -> np.ndarray:
    """Give the bases between each interval of `second` and the nearest of `first`, shape (len(second),).

    0 when they touch, -1 when they overlap, infinity when none lies on the same chromosome.
    """
    by_chrom: dict[str, list[tuple[int, int]]] = {}
    for interval in first:
        by_chrom.setdefault(interval.chrom, []).append((interval.start, interval.end))
    ready = {}
    for chrom, pairs in by_chrom.items():
        ordered = np.array(sorted(pairs))
        ready[chrom] = ordered[:, 0], np.maximum.accumulate(ordered[:, 1])
    gaps = np.full(len(second), np.inf)
    for index, interval in enumerate(second):
        if interval.chrom not in ready:
            continue
        starts, ends = ready[interval.chrom]
        after = int(np.searchsorted(starts, interval.end, side="left"))
        left = interval.start - ends[after - 1] if after else np.inf
        right = starts[after] - interval.end if after < len(starts) else np.inf
        gaps[index] = -1 if left < 0 else min(left, right)
    return gaps


def leak_warnings(rows: Sequence[LeakRow]) -> list[RunWarning]:
    """Warn of each verdict that is not ``ok``."""
    return [
        RunWarning(row.verdict, "leak", f"{row.check}, {row.pair}: {row.what}") for row in rows if row.verdict != "ok"
    ]
