"""A genome as token ids, and training windows drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import say, track
from lingome.core.seeds import generator
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.repeats import Repeats
from lingome.data.sequence import N
from lingome.tokens.alphabet import DNA
from lingome.tokens.places import WindowPlaces
from lingome.tokens.tokenizer import Tokenizer

COUNTED_TOKENS = 1 << 22


class StoredIds(Protocol):
    """Token ids that lie on disk, and are read as they are needed."""

    def __len__(self) -> int:
        """Give the number of tokens."""
        ...

    def part(self, first: int, last: int) -> np.ndarray:
        """Give the tokens from `first` to before `last`, shape (last - first,)."""
        ...

    def rows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Give a row of `length` tokens from each of `starts`, shape (R,): (R, length); no row leaves its stretch."""
        ...


def check_alphabet(tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer whose letters are not those of DNA.

    Raises
    ------
    DataError
        Names the alphabet it has.
    """
    if tokenizer.alphabet is not DNA:
        raise DataError(
            "this tokenizer does not read DNA", got=f"the alphabet {tokenizer.alphabet.name!r}: "
            f"{tokenizer.alphabet.letters}", expected=f"letters {DNA.letters}", hint="give a tokenizer of DNA",
        )


@dataclass(frozen=True)
class EncodedGenome:
    """Token ids of known sequence, with N left out.

    Parameters
    ----------
    ids : ndarray of uint16 (int32 for large vocabularies), shape (n,)
        Tokens of all segments, one after the other.
    segments : ndarray of int64, shape (S, 2)
        Segment `s` is ``ids[segments[s, 0]:segments[s, 1]]``: sequence without N or a record's end.
    bases : int
        Bases that the tokens cover.
    unknown : int
        Tokens left out because they hold a letter outside ACGT.
    intervals : tuple of Interval
        What was encoded, N included.
    repeat_share : ndarray of float16, shape (n,), optional
        Share of each token's bases that lies in repeats; None without an annotation.
    """

    ids: np.ndarray
    segments: np.ndarray
    bases: int
    unknown: int
    intervals: tuple[Interval, ...]
    repeat_share: np.ndarray | None = None

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return len(self.ids)

    @property
    def bases_per_token(self) -> float:
        """Mean length of a token, in bases."""
        return self.bases / max(1, len(self.ids))


def encode_genome(
    genome: Genome, tokenizer: Tokenizer, intervals: Sequence[Interval] | None = None, repeats: Repeats | None = None
) -> EncodedGenome:
    """Encode a genome, or parts of it, without its N.

    Parameters
    ----------
    genome : Genome
        Sequence.
    tokenizer : Tokenizer
        Vocabulary.
    intervals : sequence of Interval, optional
        Parts to encode, each on its own; one of strand ``-`` as its reverse complement. All records by default.
    repeats : Repeats, optional
        Where the genome repeats itself; the share of it is then given for every token.

    Raises
    ------
    DataError
        If an interval does not fit the genome, nothing but N is found, or the tokenizer reads no DNA.
    """
    check_alphabet(tokenizer)
    if intervals is None:
        intervals = [Interval(chrom, 0, length) for chrom, length in genome.lengths.items()]
    ids: list[np.ndarray] = []
    segments: list[np.ndarray] = []
    shares: list[np.ndarray] = []
    bases = unknown = n = 0
    with track("encoding", total=sum(part.length_bp for part in intervals), unit="bases") as task:
        for part in intervals:
            sequence = genome.sequence(part.chrom, part.start, part.end, part.strand)
            whole = np.array([0, len(sequence)], dtype=np.int64)
            found, cuts = tokenizer.encode_flat(sequence, whole)
            known = found != tokenizer.unk_id
            runs = true_runs(known)
            kept = found[known]
            lengths = runs[:, 1] - runs[:, 0]
            ends = n + np.cumsum(lengths)
            segments.append(np.stack([ends - lengths, ends], axis=1))
            bases += tokenizer.covered_bp(kept, len(runs))
            unknown += len(known) - len(kept)
            ids.append(kept)
            if repeats is not None:
                starts = tokenizer.borders(found, cuts, whole)[:-1][known]
                shares.append(repeats.shares(part, starts, starts + tokenizer.token_lengths[kept]))
            n += len(kept)
            task.advance(part.length_bp, part.chrom)
    if n == 0:
        raise DataError("there is no known sequence to encode", where=genome.path, got=f"{unknown:,} unknown letters")
    say(
        f"encoded {bases:,} bases as {n:,} tokens ({bases / n:.2f} bases per token); "
        f"{unknown:,} unknown letters left out"
    )
    share = np.concatenate(shares) if repeats is not None else None
    return EncodedGenome(np.concatenate(ids), np.concatenate(segments), bases, unknown, tuple(intervals), share)


def estimate_bases_per_token(
    genome: Genome, tokenizer: Tokenizer, intervals: Sequence[Interval], sample_bp: int = 200_000
) -> float:
    """Estimate the mean length of a token from pieces spread over parts of a genome; N is passed over.

    Parameters
    ----------
    genome : Genome
        Sequence.
    tokenizer : Tokenizer
        Vocabulary.
    intervals : sequence of Interval
        The parts.
    sample_bp : int
        Bases to look at, about; at least one piece of a thousand in every interval.
    """
    n_pieces = max(1, sample_bp // (1000 * len(intervals)))
    known = np.concatenate([
        genome.sequence(part.chrom, start, min(start + 1000, part.end))
        for part in intervals
        for start in np.linspace(part.start, max(part.start, part.end - 1000), n_pieces).astype(int).tolist()
    ])
    known = known[known != N]
    return len(known) / len(tokenizer.encode(known).input_ids) if len(known) else 1.0


def true_runs(known: np.ndarray) -> np.ndarray:
    """Give the stretches where a mask `known`, shape (n,), is true: first and the one after the last, (runs, 2)."""
    padded = np.concatenate([np.zeros(1, dtype=np.bool_), known, np.zeros(1, dtype=np.bool_)])
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def count_ids(ids: np.ndarray | StoredIds, stretches: np.ndarray, vocab_size: int) -> np.ndarray:
    """Count how often each token occurs in stretches of ids, int64, shape (V,); reads a few million at a time."""
    counts = np.zeros(vocab_size, dtype=np.int64)
    joined = np.flatnonzero(np.append(True, stretches[1:, 0] != stretches[:-1, 1]))
    lasts = np.append(stretches[joined[1:] - 1, 1], stretches[-1:, 1])
    for start, end in zip(stretches[joined, 0].tolist(), lasts.tolist(), strict=True):
        for first in range(start, end, COUNTED_TOKENS):
            last = min(first + COUNTED_TOKENS, end)
            part = ids[first:last] if isinstance(ids, np.ndarray) else ids.part(first, last)
            counts += np.bincount(part, minlength=vocab_size)
    return counts


class TokenWindows:
    """Batches of windows drawn from encoded sequence, each batch a function of its number.

    All windows of a batch have one length, so there is no padding: `max_tokens` with probability
    `fixed_share`, otherwise uniform from `min_tokens` to `max_tokens` (the windows of GROVER,
    doi:10.1038/s42256-024-00872-0, with the length drawn once a batch). Starts are uniform over
    all places where such a window fits; it never crosses N or a record's end. The work for a batch does
    not grow with the number of segments, and of ids that lie on disk only the windows are read.

    Parameters
    ----------
    ids : ndarray, shape (n,), or StoredIds
        Tokens.
    segments : ndarray of int64, shape (S, 2)
        Stretches of `ids` that windows stay within.
    max_tokens, min_tokens : int
        Longest and shortest window, special tokens not included. Longer than the longest
        segment is cut to it.
    fixed_share : float
        Share of batches with the longest windows, 0..1.
    batch_tokens : int
        Tokens of a batch, about: as many windows as fit, at least one.
    seed : int
        With epoch and step, decides everything.

    Raises
    ------
    ConfigError
        If the lengths or the share make no sense.
    DataError
        If no segment is long enough.
    """

    def __init__(
        self,
        ids: np.ndarray | StoredIds,
        segments: np.ndarray,
        *,
        max_tokens: int = 510,
        min_tokens: int = 20,
        fixed_share: float = 0.5,
        batch_tokens: int = 8192,
        seed: int = 0,
    ) -> None:
        if not 1 <= min_tokens <= max_tokens:
            raise ConfigError(
                "the lengths of windows make no sense", got=f"min_tokens {min_tokens}, max_tokens {max_tokens}",
                expected="1 <= min_tokens <= max_tokens",
            )
        if not 0 <= fixed_share <= 1:
            raise ConfigError("a share lies between 0 and 1", where="fixed_share", got=fixed_share)
        if batch_tokens < 1:
            raise ConfigError("a batch needs tokens", where="batch_tokens", got=batch_tokens)
        lengths = segments[:, 1] - segments[:, 0]
        keep = lengths >= min_tokens
        if not keep.any():
            raise DataError(
                "no stretch of sequence is long enough for a window", got=f"longest: {lengths.max(initial=0)} tokens",
                expected=f"at least {min_tokens} tokens", hint="give more sequence, or a smaller min_tokens",
            )
        self.ids = ids
        self.segments = segments[keep]
        kept = lengths[keep]
        self.max_tokens = min(max_tokens, int(kept.max()))
        self.min_tokens = min_tokens
        self.fixed_share = fixed_share
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.total_tokens = int(kept.sum())
        self._places = WindowPlaces(kept, min_tokens, self.max_tokens)

    @property
    def steps_per_epoch(self) -> int:
        """Batches that together hold about as many tokens as there are."""
        return max(1, self.total_tokens // self.batch_tokens)

    def batch(self, epoch: int, step: int) -> np.ndarray:
        """Draw a batch; the same `epoch` and `step` always give the same, whatever was drawn before.

        Returns
        -------
        ndarray, shape (windows, length), type of the ids
            Tokens without special ones.
        """
        return self.rows(*self.draw(epoch, step))

    def draw(self, epoch: int, step: int) -> tuple[np.ndarray, int]:
        """Draw where the windows of a batch begin, int64, shape (windows,), and their length."""
        random = generator(self.seed, "windows", epoch, step)
        length = self._draw_length(random)
        return self._draw_starts(random, length, max(1, self.batch_tokens // length)), length

    def draw_mixed(self, epoch: int, step: int, extra: int = 0) -> list[tuple[int, int]]:
        """Draw windows of many lengths, (start, length) each, until the next would not fit the batch.

        Lengths follow the rule of `batch`, but each window has its own.

        Parameters
        ----------
        extra : int
            Tokens that each window takes beside its own: two for its ends.
        """
        random = generator(self.seed, "mixed windows", epoch, step)
        left = self.batch_tokens
        drawn: list[tuple[int, int]] = []
        while (length := self._draw_length(random)) + extra <= left or not drawn:
            drawn.append((int(self._draw_starts(random, length, 1)[0]), length))
            left -= length + extra
        return drawn

    def _draw_length(self, random: np.random.Generator) -> int:
        if random.random() >= self.fixed_share:
            return int(random.integers(self.min_tokens, self.max_tokens + 1))
        return self.max_tokens

    def _draw_starts(self, random: np.random.Generator, length: int, n: int) -> np.ndarray:
        segment, offset = self._places.find(random.integers(0, self._places.count(length), size=n), length)
        starts: np.ndarray = self.segments[segment, 0] + offset
        return starts

    def rows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Give the tokens of windows that begin at `starts`, shape (windows,): shape (windows, length)."""
        if isinstance(self.ids, np.ndarray):
            rows: np.ndarray = self.ids[starts[:, None] + np.arange(length)]
            return rows
        return self.ids.rows(starts, length)

    def tiles(self, length: int | None = None, most: int | None = None) -> np.ndarray:
        """Give windows side by side in order, for measuring; what is left of a segment is dropped.

        Parameters
        ----------
        length : int, optional
            Tokens of a window; `max_tokens` by default.
        most : int, optional
            Give at most this many, spread evenly.

        Returns
        -------
        ndarray, shape (windows, length), type of the ids

        Raises
        ------
        ConfigError
            If no segment has that many tokens.
        """
        starts, length = self.tile_starts(length, most)
        return self.rows(starts, length)

    def tile_starts(self, length: int | None = None, most: int | None = None) -> tuple[np.ndarray, int]:
        """Say where the windows of `tiles` begin, int64, shape (windows,), and how long they are.

        Raises
        ------
        ConfigError
            If no segment has that many tokens.
        """
        length = self.max_tokens if length is None else length
        counts = (self.segments[:, 1] - self.segments[:, 0]) // length
        ends = np.cumsum(counts)
        if ends[-1] == 0:
            raise ConfigError("no stretch of sequence holds such a window", got=f"{length} tokens")
        total = int(ends[-1])
        chosen = np.arange(total) if most is None else np.linspace(0, total - 1, min(most, total)).astype(np.int64)
        segment = np.searchsorted(ends, chosen, side="right")
        return self.segments[segment, 0] + (chosen - ends[segment] + counts[segment]) * length, length
