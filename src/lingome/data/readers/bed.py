"""BED and narrowPeak: intervals in, intervals out. Both are 0-based, half-open in the file too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.data.interval import Interval
from lingome.data.names import near_name, unknown_chromosome
from lingome.data.readers.compressed import read_lines

MAX_POSITION = 1 << 40


@dataclass(frozen=True, slots=True)
class Peak:
    """A peak of a narrowPeak file.

    Parameters
    ----------
    interval : Interval
    signal : float
        Column 7, ``signalValue``.
    summit : int
        Position of the summit on the chromosome, 0-based; the middle where the file gives none.
    """

    interval: Interval
    signal: float
    summit: int


def read_bed(path: Path, lengths: Mapping[str, int] | None = None) -> list[Interval]:
    """Read a BED file of 3 to 12 columns, plain or gzip.

    Comments, ``track`` and ``browser`` lines are passed over. Columns after the sixth are not kept.

    Parameters
    ----------
    path : Path
    lengths : mapping of str to int, optional
        Length of each chromosome; when given, intervals are checked against it.

    Raises
    ------
    DataError
        With file and line: too few columns, a start or end that is no whole number, end < start,
        a score that is no number, a strand other than + - and ., an unknown chromosome or an
        interval beyond its end.
    """
    return [interval for _, interval, _ in bed_rows(Path(path), lengths)]


def read_narrow_peak(path: Path, lengths: Mapping[str, int] | None = None) -> list[Peak]:
    """Read an ENCODE narrowPeak file (BED6 + signal, p, q, summit), plain or gzip.

    Raises
    ------
    DataError
        As `read_bed`; or if a row has not ten columns, or its signal or summit cannot be used.
    """
    return [peak for _, peak in peak_rows(Path(path), lengths)]


def peak_rows(path: Path, lengths: Mapping[str, int] | None = None) -> Iterator[tuple[int, Peak]]:
    """Give each row as (line number, peak).

    Raises
    ------
    DataError
        As `read_narrow_peak`.
    """
    for number, interval, fields in bed_rows(path, lengths):
        where = f"{path}:{number}"
        if len(fields) < 10:
            raise DataError(
                "too few columns for narrowPeak", where=where, got=len(fields), expected=10,
                hint="a BED of peaks has no signal and no summit; give the narrowPeak",
            )
        signal = finite_number(fields[6], "signal", where)
        offset = -1 if fields[9] == "-1" else whole_number(fields[9], "summit", where)
        if offset >= max(interval.length_bp, 1):
            raise DataError("the summit lies outside its peak", where=where, got=offset, expected=interval.length_bp)
        summit = interval.start + offset if offset >= 0 else interval.middle
        yield number, Peak(interval, signal, summit)


def bed_rows(path: Path, lengths: Mapping[str, int] | None = None) -> Iterator[tuple[int, Interval, list[str]]]:
    """Give each row as (line number, interval, fields).

    Raises
    ------
    DataError
        As `read_bed`.
    """
    for number, line in read_lines(path):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        fields = line.rstrip().split("\t") if "\t" in line else line.split()
        where = f"{path}:{number}"
        if len(fields) < 3:
            raise DataError("too few columns for BED", where=where, got=line[:80], expected="chrom, start, end")
        chrom = fields[0]
        if not chrom or chrom.isspace():
            raise DataError("a row without a chromosome", where=where, got=line[:80])
        start = whole_number(fields[1], "start", where)
        end = whole_number(fields[2], "end", where)
        if end < start:
            raise DataError(
                "end is before start", where=where, got=f"{chrom}:{start}-{end}", expected="start <= end",
                hint="swap the two columns, or drop the line",
            )
        name = fields[3] if len(fields) > 3 and fields[3] else "."
        score = finite_number(fields[4], "score", where) if len(fields) > 4 and fields[4] != "." else 0.0
        strand = fields[5] if len(fields) > 5 else "."
        if strand not in ("+", "-", "."):
            raise DataError(
                "the sixth column of BED is the strand", where=where, got=repr(strand[:40]), expected="+ - or .",
                hint="keep the first three columns if yours mean something else: cut -f1-3",
            )
        interval = Interval(chrom, start, end, strand, name, score)
        if lengths is not None:
            check_interval(interval, lengths, where)
        yield number, interval, fields


def whole_number(text: str, what: str, where: str) -> int:
    """Read a position.

    Raises
    ------
    DataError
        If it is not a whole number from 0 to 2^40.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > 13 or int(text) > MAX_POSITION:
        raise DataError(f"the {what} is not a position", where=where, got=repr(text[:40]), expected="a whole number")
    return int(text)


def finite_number(text: str, what: str, where: str) -> float:
    """Read a number.

    Raises
    ------
    DataError
        If it is none, or not finite.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"the {what} is not a number", where=where, got=repr(text[:40]))
    return value


def check_interval(interval: Interval, lengths: Mapping[str, int], where: object) -> None:
    """Check that an interval lies on the genome.

    Raises
    ------
    DataError
        If its chromosome is unknown (the error names a near miss), or it leaves the chromosome.
    """
    length = lengths.get(interval.chrom)
    if length is None:
        raise unknown_chromosome(interval.chrom, lengths, where)
    if interval.start < 0 or interval.end > length:
        raise DataError(
            "the interval leaves its chromosome", where=where, got=interval,
            expected=f"{interval.chrom} has {length:,} bases", hint="was it made on another assembly?",
        )


def on_genome(
    intervals: Sequence[Interval], lengths: Mapping[str, int], source: object, lines: Sequence[int] | None = None
) -> list[Interval]:
    """Keep the intervals whose chromosome the genome has, and say how many were left out.

    For peaks of a whole genome beside the FASTA of one chromosome. Names that merely differ in
    spelling are still an error.

    Parameters
    ----------
    intervals : sequence of Interval
        What to keep or to leave out.
    lengths : mapping of str to int
        Bases of each chromosome of the genome.
    source : object
        Where the intervals come from, for messages.
    lines : sequence of int, optional
        Line of each interval in the source.

    Raises
    ------
    DataError
        If none is left, a chromosome has a near miss (``20`` for ``chr20``), or an interval
        leaves its chromosome.
    """
    kept = [index for index, interval in enumerate(intervals) if interval.chrom in lengths]
    first: dict[str, int] = {}
    for index, interval in enumerate(intervals):
        if interval.chrom not in lengths:
            first.setdefault(interval.chrom, index)
    for chrom, index in first.items():
        near = near_name(chrom, lengths)
        if not kept or (near is not None and chrom.removeprefix("chr") == near.removeprefix("chr")):
            raise unknown_chromosome(chrom, lengths, _place(source, lines, index))
    if first:
        n_left_out = len(intervals) - len(kept)
        say(f"{source}: left out {n_left_out:,} intervals on {len(first)} chromosomes not in the genome")
    for index in kept:
        check_interval(intervals[index], lengths, _place(source, lines, index))
    return [intervals[index] for index in kept]


def _place(source: object, lines: Sequence[int] | None, index: int) -> str:
    return f"{source}:{lines[index]}" if lines is not None else f"{source}, interval {index + 1}"
