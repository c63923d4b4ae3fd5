"""Splits that do not leak: blocks with gaps, whole chromosomes, or groups of copies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from lingome.config.parts.task import SplitSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import say
from lingome.core.seeds import generator
from lingome.data.examples import SPLITS, Examples
from lingome.data.interval import Interval
from lingome.data.sequence import as_bases, as_text, reverse_complement

Fractions = tuple[float, float, float]
VALID_SHARE = 0.1
"""Share of the training rows taken for validation when a table's own split has none."""


def split_by_blocks(
    intervals: Sequence[Interval],
    lengths: Mapping[str, int],
    fractions: Fractions | None = (0.8, 0.1, 0.1),
    gap_bp: int = 1000,
    *,
    boundaries: Sequence[Interval] | None = None,
) -> np.ndarray:
    """Split by contiguous blocks of the genome.

    Parameters
    ----------
    intervals : sequence of Interval, N of them
    lengths : mapping of str to int
        Chromosomes, in the order in which blocks are laid along them.
    fractions : (float, float, float)
        Share of the intervals for train, valid and test, laid in this order.
    gap_bp : int
        At least so many bases lie between any two intervals of different splits of a chromosome;
        take at least one window.
    boundaries : sequence of Interval, optional
        Blocks instead of fractions; the name of each is its split.

    Returns
    -------
    ndarray of object, shape (N,)
        ``train``, ``valid``, ``test``, or an empty string for intervals that touch a gap.

    Raises
    ------
    ConfigError
        If the fractions are no shares, or boundaries overlap or lie closer than the gap.
    DataError
        If a split comes out empty.
    """
    blocks = list(boundaries) if boundaries is not None else blocks_of(intervals, lengths, fractions, gap_bp)
    _check_blocks(blocks, gap_bp)
    splits = np.full(len(intervals), "", dtype=object)
    by_chrom: dict[str, list[Interval]] = {}
    for block in blocks:
        by_chrom.setdefault(block.chrom, []).append(block)
    for index, one in enumerate(intervals):
        for block in by_chrom.get(one.chrom, ()):
            if block.start <= one.start and one.end <= block.end:
                splits[index] = block.name
                break
    wanted = {block.name for block in blocks}
    empty = [name for name in SPLITS if name in wanted and not np.any(splits == name)]
    if empty:
        raise DataError(
            f"no example falls into {' and '.join(empty)}", got=f"{len(intervals)} intervals, gap {gap_bp} bp",
            hint="a smaller gap, other fractions, or more data",
        )
    return splits


def blocks_of(
    intervals: Sequence[Interval], lengths: Mapping[str, int], fractions: Fractions | None, gap_bp: int
) -> list[Interval]:
    """Lay blocks along the genome so that each holds its fraction of the intervals, with gaps between.

    Parameters
    ----------
    intervals : sequence of Interval
        What is to be divided.
    lengths : mapping of str to int
        Bases of each chromosome, in the order in which blocks are laid along them.
    fractions : (float, float, float)
        Share of the intervals for train, valid and test.
    gap_bp : int
        Bases between blocks.

    Returns
    -------
    list of Interval
        The name of each is its split; a split that goes over a chromosome's end has several.

    Raises
    ------
    ConfigError
        If the fractions are not three shares that add up to 1, or there is none for training.
    DataError
        If no interval lies on these chromosomes.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or np.any(shares < 0) or abs(float(shares.sum()) - 1) > 1e-6 or shares[0] == 0:
        raise ConfigError("fractions are three shares that add up to 1", got=fractions, expected="train, valid, test")
    offsets = dict(zip(lengths, np.concatenate([[0], np.cumsum(list(lengths.values()))]).tolist(), strict=False))
    middles = np.sort([offsets[one.chrom] + one.middle for one in intervals if one.chrom in offsets])
    if not len(middles):
        raise DataError("there is no interval to split on these chromosomes", expected=", ".join(list(lengths)[:8]))
    total = sum(lengths.values())
    cuts = [0]
    for share in np.cumsum(shares)[:2]:
        rank = round(float(share) * len(middles))
        cuts.append(int(middles[rank]) if rank < len(middles) else total)
    cuts.append(total)
    half = gap_bp // 2
    other_half = gap_bp - gap_bp // 2
    blocks = []
    for name, share, left, right in zip(SPLITS, shares, cuts[:-1], cuts[1:], strict=True):
        start = left + other_half if left > 0 else left
        end = right - half if right < total else right
        for chrom, length in lengths.items():
            low = max(start - offsets[chrom], 0)
            high = min(end - offsets[chrom], length)
            if share > 0 and low < high:
                blocks.append(Interval(chrom, low, high, name=name))
    return blocks


def _check_blocks(blocks: Sequence[Interval], gap_bp: int) -> None:
    for block in blocks:
        if block.name not in SPLITS or block.end <= block.start:
            raise ConfigError("a block is an interval named by its split", got=f"{block} {block.name}", expected=SPLITS)
    ordered = sorted(blocks, key=lambda block: (block.chrom, block.start))
    for one, following in pairwise(ordered):
        if one.chrom == following.chrom and one.name != following.name and following.start - one.end < gap_bp:
            raise ConfigError(
                "two blocks lie closer than the gap", got=f"{one} ({one.name}) and {following} ({following.name})",
                expected=f"{gap_bp} bp between them",
            )


def split_by_chromosome(
    intervals: Sequence[Interval], valid: Collection[str], test: Collection[str]
) -> np.ndarray:
    """Split by whole chromosomes; those in neither list are for training.

    Returns
    -------
    ndarray of object, shape (N,)

    Raises
    ------
    ConfigError
        If a chromosome is in both lists.
    DataError
        If a listed chromosome has no interval, or none is left for training.
    """
    both = sorted(set(valid) & set(test))
    if both:
        raise ConfigError("a chromosome is for validation and for test", got=", ".join(both))
    present = {one.chrom for one in intervals}
    for chrom in [*valid, *test]:
        if chrom not in present:
            raise DataError(f"no interval lies on {chrom!r}", expected=", ".join(sorted(present)[:12]))
    names = {**dict.fromkeys(valid, "valid"), **dict.fromkeys(test, "test")}
    splits = np.array([names.get(one.chrom, "train") for one in intervals], dtype=object)
    if not np.any(splits == "train"):
        raise DataError("no chromosome is left for training", got=", ".join(sorted(present)))
    return splits


def split_random(sequences: Sequence[str], fractions: Fractions = (0.8, 0.1, 0.1), seed: int = 0) -> np.ndarray:
    """Split at random for tables without coordinates; copies and reverse complements stay together.

    Returns
    -------
    ndarray of object, shape (N,)

    Raises
    ------
    ConfigError
        If the fractions are not three shares that add up to 1.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or np.any(shares < 0) or abs(float(shares.sum()) - 1) > 1e-6:
        raise ConfigError("fractions are three shares that add up to 1", got=fractions, expected="train, valid, test")
    groups: dict[str, list[int]] = {}
    for index, sequence in enumerate(sequences):
        groups.setdefault(canonical(sequence), []).append(index)
    keys = sorted(groups)
    order = generator(seed, "split").permutation(len(keys))
    bounds = np.rint(np.cumsum(shares) * len(sequences)).astype(int)
    splits = np.full(len(sequences), "", dtype=object)
    placed = 0
    for at in order:
        members = groups[keys[at]]
        which = int(np.searchsorted(bounds, placed, side="right"))
        splits[members] = SPLITS[min(which, 2)]
        placed += len(members)
    return splits


def canonical(sequence: str) -> str:
    """Give the sequence or its reverse complement, whichever comes first in the alphabet."""
    return min(sequence, as_text(reverse_complement(as_bases(sequence))))


def divide(examples: Examples, lengths: Mapping[str, int], split: SplitSettings, *, seed: int = 0) -> np.ndarray:
    """Divide examples into training, validation and test, in the way the settings name.

    Parameters
    ----------
    examples : Examples
        N of them.
    lengths : mapping of str to int
        Length of each chromosome in bp, for blocks.
    split : SplitSettings
        By what, and how large each part is.
    seed : int
        Of random splits.

    Returns
    -------
    ndarray of object, shape (N,)
        ``train``, ``valid``, ``test``, or an empty string for examples that are not used.

    Raises
    ------
    ConfigError
        If the examples lack what the split needs: a split column, or coordinates.
    """
    given = np.asarray(examples.splits, dtype=object)
    by = split.by
    if by == "auto":
        by = "column" if any(given != "") else "random" if examples.intervals is None else "blocks"
        if split.test_chroms:
            by = "chromosomes"
    if by == "column":
        return _complete(examples, given, seed)
    if by == "random":
        return split_random(examples.sequences, split.fractions, seed)
    if examples.intervals is None:
        raise ConfigError(
            f"a split by {by} needs coordinates", where="split.by",
            hint="add the columns chrom, start and end to the table, or use split.by=random",
        )
    if by == "chromosomes":
        return split_by_chromosome(examples.intervals, split.valid_chroms, split.test_chroms)
    gap_bp = split.gap_bp if split.gap_bp is not None else max(one.length_bp for one in examples.intervals)
    if split.boundaries is None:
        return split_by_blocks(examples.intervals, lengths, split.fractions, gap_bp)
    return split_by_blocks(
        examples.intervals, lengths, None, gap_bp, boundaries=_blocks(examples.intervals, lengths, split, gap_bp)
    )


def _blocks(
    intervals: Sequence[Interval], lengths: Mapping[str, int], split: SplitSettings, gap_bp: int
) -> list[Interval]:
    """Turn two positions on one chromosome into three blocks with gaps around the positions."""
    chroms = sorted({one.chrom for one in intervals})
    assert split.boundaries is not None
    first, second = split.boundaries
    if len(chroms) != 1 or not 0 < first < second < lengths[chroms[0]]:
        raise ConfigError(
            "boundaries are two positions on the one chromosome of the examples", where="split.boundaries",
            got=f"{first}, {second} on {', '.join(chroms[:5])}", hint="use split.fractions, or name chromosomes",
        )
    half = gap_bp // 2
    rest = gap_bp - gap_bp // 2
    edges = ((0, first - half), (first + rest, second - half), (second + rest, lengths[chroms[0]]))
    return [Interval(chroms[0], start, end, name=name) for name, (start, end) in zip(SPLITS, edges, strict=True)]


def _complete(examples: Examples, given: np.ndarray, seed: int) -> np.ndarray:
    """Use the table's own split; take validation from training if the table has none."""
    if not any(given != ""):
        raise ConfigError("the table has no split column", where="split.by", hint="use split.by=random")
    for name in ("train", "test"):
        if name not in given:
            raise DataError(
                f"the split column has no {name} rows", got=", ".join(sorted(set(given.tolist()) - {""})),
                hint="divide anew with task.split.by=random (or blocks, with coordinates)",
            )
    if "valid" in given:
        return given
    train = np.flatnonzero(given == "train")
    drawn = split_random([examples.sequences[i] for i in train.tolist()], (1 - VALID_SHARE, VALID_SHARE, 0.0), seed)
    divided = given.copy()
    divided[train[drawn == "valid"]] = "valid"
    say(f"the table names no validation rows: {int((drawn == 'valid').sum()):,} training rows were taken at random")
    return divided


def hold_out_ends(lengths: Mapping[str, int], share: float, gap_bp: int = 0) -> tuple[list[Interval], list[Interval]]:
    """Keep the end of every chromosome from what is learnt from; a chromosome shorter than the gap has no end.

    Parameters
    ----------
    lengths : mapping of str to int
        Bases of each chromosome.
    share : float
        Share of each chromosome that is held out, 0..1.
    gap_bp : int
        Bases at the beginning of each end that neither part has.

    Returns
    -------
    learnt, held_out : list of Interval
        In the order of the chromosomes.

    >>> learnt, held_out = hold_out_ends({"chr1": 100, "chr2": 40}, 0.1, gap_bp=5)
    >>> [str(one) for one in learnt], [str(one) for one in held_out]
    (['chr1:0-90', 'chr2:0-36'], ['chr1:95-100'])
    """
    learnt = []
    held_out = []
    for chrom, length in lengths.items():
        cut = int(length * (1 - share))
        learnt.append(Interval(chrom, 0, cut))
        if cut + gap_bp < length:
            held_out.append(Interval(chrom, cut + gap_bp, length))
    return learnt, held_out


def reach(intervals: Sequence[Interval]) -> dict[str, int]:
    """Give the last base that intervals reach on each chromosome, for tables that come without a genome."""
    ends: dict[str, int] = {}
    for one in sorted(intervals, key=lambda interval: interval.chrom):
        ends[one.chrom] = max(ends.get(one.chrom, 0), one.end)
    return ends


def split_rows(examples: Examples) -> list[dict[str, Any]]:
    """Give rows of the table ``splits``: each split's reach on each chromosome, and its examples."""
    rows = []
    for name in SPLITS:
        part = examples.split(name)
        chroms = sorted({one.chrom for one in part.intervals}) if part.intervals is not None else [None]
        for chrom in chroms:
            here = part
            if chrom is not None and part.intervals is not None:
                here = part.select(np.array([one.chrom == chrom for one in part.intervals], dtype=bool))
            places = here.intervals or ()
            rows.append({
                "split": name,
                "chrom": chrom,
                "start": min((one.start for one in places), default=None),
                "end": max((one.end for one in places), default=None),
                "n": len(here),
                "n_positive": int((here.labels == 1).sum()) if len(examples.label_names) == 2 else None,
            })
    return rows
