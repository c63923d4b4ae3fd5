"""A genome's tokens on disk, read where they lie: from tokens to bases, and back.

Tokens are counted through all shards; bases are 0-based, half-open, in their record. Letters that
are unknown (N above all) have no token. The files are those of `lingome.tokens.store.layout`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.data.interval import Interval
from lingome.data.names import unknown_chromosome
from lingome.tokens.tokenizer import Tokenizer

RECORD, FIRST, LAST, START, END = range(5)
"""Rows of the table of segments: index of the record, first token, the one after the last, bases."""
WRITE_AGAIN = "write the store again: lingome tokens encode TOKENIZER GENOME -o STORE --force"


@dataclass(frozen=True)
class Record:
    """A sequence of the genome, and where its tokens are.

    Parameters
    ----------
    chrom : str
    length_bp : int
        N included.
    shard : int
        Number of the file.
    first_token, n_tokens : int
        Counted through all shards.
    """

    chrom: str
    length_bp: int
    shard: int
    first_token: int
    n_tokens: int


@dataclass(frozen=True)
class StoredTokens:
    """Tokens of parts of a genome, in a store; the counterpart of `EncodedGenome`.

    Parameters
    ----------
    ids : ShardedIds
        All ids of the store.
    segments : ndarray of int64, shape (S, 2)
        Stretches of `ids` that lie in the parts, in their order: without N, a record's end or a token
        that reaches over a part's border.
    bases : int
        Bases that these tokens cover.
    unknown : int
        Bases of the parts that have no token because they are unknown.
    intervals : tuple of Interval
        The parts, N included.
    """

    ids: ShardedIds
    segments: np.ndarray
    bases: int
    unknown: int
    intervals: tuple[Interval, ...]

    @property
    def n_tokens(self) -> int:
        """Number of tokens in the parts."""
        return int((self.segments[:, 1] - self.segments[:, 0]).sum())


class ShardedIds:
    """Ids in one or more files, counted through; see `lingome.tokens.windows.StoredIds`."""

    def __init__(self, shards: Sequence[np.ndarray]) -> None:
        self._shards = list(shards)
        self._ends = np.cumsum([len(shard) for shard in shards])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def part(self, first: int, last: int) -> np.ndarray:
        """Give the ids from `first` to before `last`, shape (last - first,); a view where one file has them all."""
        pieces = []
        at = int(np.searchsorted(self._ends, first, side="right"))
        while first < last:
            before = int(self._ends[at]) - len(self._shards[at])
            end = min(last, int(self._ends[at]))
            pieces.append(self._shards[at][first - before : end - before])
            first = end
            at += 1
        return pieces[0] if len(pieces) == 1 else np.concatenate([self._shards[0][:0], *pieces])

    def rows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Give a row of `length` ids from each of `starts`, shape (R,): (R, length); no row leaves its record."""
        rows = np.empty((len(starts), length), dtype=self._shards[0].dtype)
        shards = np.searchsorted(self._ends, starts, side="right").tolist()
        for row, (shard, start) in enumerate(zip(shards, starts.tolist(), strict=True)):
            ids = self._shards[shard]
            first = start - int(self._ends[shard]) + len(ids)
            rows[row] = ids[first : first + length]
        return rows


class TokenStore:
    """An opened store; `lingome.tokens.store.open_store` makes one.

    Attributes
    ----------
    path : Path
    tokenizer : Tokenizer
    records : tuple of Record
        In the order of the FASTA.
    lengths : dict of str to int
        Bases of each record.
    digest : str
        The genome's, as `Genome.digest`.
    ids : ShardedIds
    """

    def __init__(
        self, path: Path, tokenizer: Tokenizer, manifest: Mapping[str, Any], shards: Sequence[np.ndarray],
        segments: np.ndarray, anchors: np.ndarray,
    ) -> None:
        self.path = path
        self.tokenizer = tokenizer
        self.manifest = manifest
        self.records = tuple(Record(*values) for values in manifest["records"])
        self.lengths = {record.chrom: record.length_bp for record in self.records}
        self.digest: str = manifest["genome"]["digest"]
        self.soft_masked: str = manifest["n_policy"]["soft_masked"]
        self.ids = ShardedIds(shards)
        self._segments = segments
        self._anchors = anchors
        self._step: int = manifest["anchor_tokens"]
        self._number = {record.chrom: number for number, record in enumerate(self.records)}
        self._longest = int(tokenizer.token_lengths.max())

    @property
    def bases_per_token(self) -> float:
        """Mean length of a token, in bases."""
        return float(self.manifest["totals"]["bases"]) / len(self.ids)

    def spans(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Say which bases tokens stand for; the work for each does not grow with the store.

        Parameters
        ----------
        tokens : ndarray of int64, shape (T,)
            Numbers of tokens.

        Returns
        -------
        record, start, end : ndarray of int64, shape (T,)
            Index into `records`, and 0-based half-open bases. Overlapping words reach over the start of the next.
        """
        segments = np.searchsorted(self._segments[FIRST], tokens, side="right") - 1
        starts = np.empty(len(tokens), dtype=np.int64)
        ends = np.empty(len(tokens), dtype=np.int64)
        for row, (token, segment) in enumerate(zip(tokens.tolist(), segments.tolist(), strict=True)):
            first = int(self._segments[FIRST, segment])
            base = int(self._segments[START, segment])
            anchor = token // self._step
            if anchor * self._step > first:
                first = anchor * self._step
                base = int(self._anchors[anchor])
            begins, ends_at = self._between(first, token + 1, base)
            starts[row] = begins[-1]
            ends[row] = ends_at[-1]
        return np.asarray(self._segments[RECORD, segments]), starts, ends

    def interval(self, first: int, last: int) -> Interval:
        """Give the bases of the tokens from `first` to before `last`, which are of one record.

        Raises
        ------
        DataError
            If there are no such tokens, or they are of several records.
        """
        if not 0 <= first < last <= len(self.ids):
            raise DataError(
                "there are no such tokens in the store", where=self.path, got=f"{first} to {last}",
                expected=f"0 <= first < last <= {len(self.ids)}",
            )
        records, starts, ends = self.spans(np.array([first, last - 1]))
        if records[0] != records[1]:
            raise DataError("these tokens are not of one record", where=self.path, got=f"{first} to {last}")
        return Interval(self.records[int(records[0])].chrom, int(starts[0]), int(ends[1]))

    def tokens_within(self, interval: Interval, *, partly: bool = False) -> np.ndarray:
        """Find the tokens of an interval.

        Parameters
        ----------
        partly : bool
            Include tokens that reach over a border of the interval; without it every base of every
            token lies inside.

        Returns
        -------
        ndarray of int64, shape (stretches, 2)
            First token, and the one after the last, of each stretch without N; none is empty.

        Raises
        ------
        DataError
            If the interval is not on the genome.
        """
        segments = self._touched(interval)
        found = np.array(self._segments[FIRST : LAST + 1, segments]).T
        if len(found):
            first = segments.start
            last = segments.stop - 1
            start = interval.start
            end = interval.end
            found[0, 0] = self._first_end(first, start) if partly else self._first_start(first, start)
            found[-1, 1] = self._first_start(last, end) if partly else self._first_end(last, end)
        return found[found[:, 0] < found[:, 1]]

    def select(self, intervals: Sequence[Interval]) -> StoredTokens:
        """Give the tokens that lie in parts of the genome, cut nowhere.

        A chromosome was encoded as one. So the tokens at a border are those of its whole sequence, and
        one that reaches over it is left out: at most one on either side (overlapping words: k - 1).

        Raises
        ------
        DataError
            If a part is not on the genome, or none has a token.
        """
        stretches = [np.empty((0, 2), dtype=np.int64)]
        bases = 0
        unknown = 0
        for part in intervals:
            found = self.tokens_within(part)
            stretches.append(found)
            touched = self._touched(part)
            starts = self._segments[START, touched]
            ends = self._segments[END, touched]
            known = np.minimum(ends, part.end) - np.maximum(starts, part.start)
            unknown += part.length_bp - int(known.sum())
            if len(found):
                # Inner stretches are whole segments; the outer two can end before the border.
                _, begin, _ = self.spans(found[:1, 0])
                _, _, finish = self.spans(found[-1:, 1] - 1)
                inner = np.maximum(0, np.minimum(ends, finish) - np.maximum(starts, begin))
                bases += int(inner.sum())
        segments = np.concatenate(stretches)
        if len(segments) == 0:
            raise DataError("there is no known sequence in these parts of the store", where=self.path)
        done = StoredTokens(self.ids, segments, bases, unknown, tuple(intervals))
        say(f"found {bases:,} bases as {done.n_tokens:,} tokens in the store; {unknown:,} unknown letters left out")
        return done

    def _touched(self, interval: Interval) -> slice:
        """Give the segments that share a base with an interval."""
        number = self._number.get(interval.chrom)
        if number is None:
            raise unknown_chromosome(interval.chrom, self.lengths, where=self.path)
        length = self.lengths[interval.chrom]
        if not 0 <= interval.start <= interval.end <= length:
            raise DataError(
                "this stretch is not on the chromosome", where=self.path, got=interval,
                expected=f"0 <= start <= end <= {length}",
            )
        first, last = np.searchsorted(self._segments[RECORD], [number, number + 1]).tolist()
        begin = first + int(np.searchsorted(self._segments[END, first:last], interval.start, side="right"))
        end = first + int(np.searchsorted(self._segments[START, first:last], interval.end, side="left"))
        return slice(begin, max(begin, end if interval.start < interval.end else begin))

    def _first_start(self, segment: int, base: int) -> int:
        """Give the first token of a segment that begins at a base or after it."""
        first, starts, _ = self._around(segment, base)
        return first + int(np.searchsorted(starts, base, side="left"))

    def _first_end(self, segment: int, base: int) -> int:
        """Give the first token of a segment that ends after a base."""
        first, _, ends = self._around(segment, base)
        return first + int(np.searchsorted(ends, base, side="right"))

    def _around(self, segment: int, base: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Give a run of tokens around a base: its first token, and where each begins and ends.

        Of the segment's other tokens, those before end at the base or sooner, those after begin beyond it.
        """
        _, first, last, start, _ = self._segments[:, segment].tolist()
        low = -(-first // self._step)
        high = -(-last // self._step)
        bases = self._anchors[low:high]
        before = int(np.searchsorted(bases, base - self._longest, side="right")) - 1
        after = int(np.searchsorted(bases, base, side="right"))
        if after < high - low:
            last = (low + after) * self._step
        if before >= 0:
            first = (low + before) * self._step
            start = int(bases[before])
        return first, *self._between(first, last, start)

    def _between(self, first: int, last: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Give where tokens of one segment begin and end; the first begins at `start`."""
        ids = self.ids.part(first, last)
        starts = start + token_starts(self.tokenizer, ids)
        return starts, starts + self.tokenizer.token_lengths[ids]


def token_starts(tokenizer: Tokenizer, ids: np.ndarray) -> np.ndarray:
    """Give where tokens `ids`, shape (m,), that follow each other begin, from the first; int64, shape (m,)."""
    ends = np.array([0, len(ids)], dtype=np.int64)
    return tokenizer.borders(ids, ends, np.zeros(2, dtype=np.int64))[:-1]


def check_digest(store: Path, expected: str, got: str, genome: Path) -> None:
    """Refuse a genome by its digest.

    Parameters
    ----------
    store : Path
        The store.
    expected : str
        Digest of the sequence whose tokens it holds.
    got : str
        Digest of the genome.
    genome : Path
        The genome's file.

    Raises
    ------
    DataError
        If the two digests differ.
    """
    if got != expected:
        raise DataError(
            f"the store holds tokens of another sequence than {genome} has now", where=store, got=f"digest {got[:12]}",
            expected=f"digest {expected[:12]}", hint=WRITE_AGAIN,
        )
