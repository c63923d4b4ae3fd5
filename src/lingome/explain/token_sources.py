"""Where tokens are counted: the records of a FASTA, one at a time, and annotation on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lingome.core.errors import DataError
from lingome.data.genome import SoftMasked, read_index
from lingome.data.interval import Interval
from lingome.data.readers.bed import bed_rows, on_genome
from lingome.data.readers.fasta import FastaParser
from lingome.explain.token_census import TokenCensus, merge_intervals, take_census
from lingome.tokens.alphabet import DNA
from lingome.tokens.tokenizer import Tokenizer

NUCLEOTIDES = list(b"ACGTUN")

BedRow = tuple[int, Interval, list[str]]
"""Line number, interval and fields."""


def read_records(
    path: Path, tokenizer: Tokenizer, soft_masked: SoftMasked = "upper"
) -> Iterator[tuple[str, np.ndarray]]:
    """Give each record's name and letters in turn; memory is two bytes per letter of the longest.

    Parameters
    ----------
    path : Path
        FASTA: plain, gzip or bgzip.
    tokenizer : Tokenizer
        Says which letters are expected.
    soft_masked : {"upper", "n"}
        What becomes of lower-case DNA.

    Yields
    ------
    name : str
    letters : ndarray of uint8, shape (letters,)
        ASCII codes.

    Raises
    ------
    DataError
        If the file cannot be read or is written in other letters than the vocabulary.
    """
    nucleotides = total = 0
    if tokenizer.alphabet is DNA:
        for name, letters in FastaParser(path, soft_masked).records():
            total += len(letters)
            yield name, letters
        if not total:
            raise DataError("every record is empty", where=path)
        return
    for name, letters in FastaParser(path, "upper", "protein").records():
        total += len(letters)
        nucleotides += int(np.bincount(letters, minlength=256)[NUCLEOTIDES].sum())
        yield name, letters
    if nucleotides > 0.9 * total:
        raise DataError(
            "the vocabulary is of protein, and this looks like DNA", where=path,
            got=f"{nucleotides / max(1, total):.0%} of its letters are A, C, G, T, U or N",
            expected="a FASTA of proteins", hint="give the vocabulary that was made for this sequence",
        )


def census_of_file(
    path: Path,
    tokenizer: Tokenizer,
    annotation: Mapping[str, Path],
    *,
    soft_masked: SoftMasked = "upper",
    n_windows: int = 0,
    window_tokens: int = 510,
    seed: int = 0,
) -> TokenCensus:
    """Count the tokens of a FASTA, and where they lie in the intervals of BED files, in one pass.

    Annotation is checked before the pass where an index (``.fai``) gives the lengths of records,
    else after it. Intervals on records that are not there are left out, with a message.

    Parameters
    ----------
    path : Path
        FASTA: plain, gzip or bgzip.
    tokenizer : Tokenizer
        The vocabulary.
    annotation : mapping of str to Path
        BED files by name.
    soft_masked, n_windows, window_tokens, seed
        See `read_records` and `take_census`.

    Raises
    ------
    DataError
        As `read_records` and `take_census`; if a BED file cannot be read or holds no interval, all
        of its records are unknown, a name is spelt differently (``20`` for ``chr20``), or an
        interval leaves its record.
    """
    beds = {name: list(bed_rows(file)) for name, file in annotation.items()}
    for name, rows in beds.items():
        if not rows:
            raise DataError("there is no interval in this file", where=annotation[name])
    index = Path(f"{path}.fai")
    fresh = index.is_file() and index.stat().st_mtime >= path.stat().st_mtime
    lengths = read_index(index) if fresh else None
    if lengths is not None:
        _check(beds, annotation, lengths)
    census = take_census(
        read_records(path, tokenizer, soft_masked), tokenizer,
        {name: merge_intervals(one for _, one, _ in rows) for name, rows in beds.items()},
        n_windows=n_windows, window_tokens=window_tokens, seed=seed, where=path,
        total=sum(lengths.values()) if lengths else None,
    )
    if lengths != census.lengths:
        _check(beds, annotation, census.lengths)
    return census


def _check(beds: Mapping[str, Sequence[BedRow]], annotation: Mapping[str, Path], lengths: Mapping[str, int]) -> None:
    for name, rows in beds.items():
        on_genome([one for _, one, _ in rows], lengths, annotation[name], [number for number, _, _ in rows])
