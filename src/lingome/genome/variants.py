"""Windows around variants of a genome and mutations of a sequence, and every substitution of a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.sequence import as_text
from lingome.data.variants import Edit, Mutant, Variant
from lingome.models.scoring.scores import Allele


class Windows(NamedTuple):
    """Alleles in their windows, where these lie, and how many had to be moved inside their chromosome."""

    alleles: list[Allele]
    places: list[Interval]
    n_moved: int


def window_around(start: int, length: int, window_bp: int, step_bp: int = 1) -> tuple[int, int]:
    """Give the window of a place: 0-based, half-open.

    The place is rounded down to a multiple of `step_bp`, and the window centred in that step; so places of one step
    share a window, and each is at least ``(window_bp - step_bp) / 2`` from its ends. At the ends of the
    chromosome the window is moved inside; it is cut only where the chromosome is shorter.

    Parameters
    ----------
    start : int
        The place, 0-based.
    length : int
        Bases of its chromosome.
    window_bp, step_bp : int
        Width of the window, and the step that places are rounded down to.

    >>> window_around(1000, 5000, 100), window_around(1049, 5000, 100, 50), window_around(3, 5000, 100)
    ((950, 1050), (975, 1075), (0, 100))
    """
    first = start // step_bp * step_bp + step_bp // 2 - window_bp // 2
    first = max(0, min(first, length - window_bp))
    return first, min(length, first + window_bp)


def cut_windows(genome: Genome, variants: Sequence[Variant], window_bp: int, step_bp: int = 1) -> Windows:
    """Cut the window of each variant.

    Parameters
    ----------
    genome : Genome
        Where the variants lie.
    variants : sequence of Variant
        Each must fit into its window.
    window_bp, step_bp : int
        See `window_around`.

    Raises
    ------
    DataError
        If a reference allele does not fit into its window.
    """
    alleles = []
    places = []
    n_moved = 0
    texts: dict[tuple[str, int], str] = {}
    for one in variants:
        length = genome.length(one.chrom)
        start, end = window_around(one.start, length, window_bp, step_bp)
        n_moved += start != one.start // step_bp * step_bp + step_bp // 2 - window_bp // 2 or end - start < window_bp
        if one.start + len(one.ref) > end:
            raise DataError("the variant is longer than its window", where=one.where, got=f"{len(one.ref)} bases",
                            expected=f"at most {end - one.start} from its first base on", hint="a larger window_bp")
        key = (one.chrom, start)
        if key not in texts:
            texts[key] = as_text(genome.sequence(one.chrom, start, end))
        alleles.append(Allele(texts[key], (Edit(one.start - start, one.ref, one.alt),), one.where))
        places.append(Interval(one.chrom, start, end))
    return Windows(alleles, places, n_moved)


def all_substitutions(genome: Genome, region: Interval) -> list[Variant]:
    """List every substitution of a region, by place and letter; places of N are left out.

    Raises
    ------
    DataError
        If the region is not on the genome, or is N alone.
    """
    bases = as_text(genome.sequence(region.chrom, region.start, region.end))
    found = [
        Variant(region.chrom, start, ref, alt, f"{region.chrom}:{start + 1}:{ref}>{alt}", str(region), {})
        for start, ref in enumerate(bases, start=region.start) if ref != "N" for alt in "ACGT" if alt != ref
    ]
    if not found:
        raise DataError("there is no base to change in this region", where=genome.path, got=str(region))
    return found


def cut_mutants(sequences: Mapping[str, str], mutants: Sequence[Mutant], window: int | None = None) -> list[Allele]:
    """Give mutants as alleles of their whole sequences, or of windows centred on their mutations.

    Parameters
    ----------
    sequences : mapping of str to str
        Sequences by name.
    window : int, optional
        Letters of a window; the whole sequence by default.

    Raises
    ------
    DataError
        If the mutations of one do not fit into a window.
    """
    alleles = []
    for one in mutants:
        text = sequences[one.sequence]
        first, last = (one.edits[0].start, one.edits[-1].start) if one.edits else (0, 0)
        start, end = window_around((first + last) // 2, len(text), window) if window else (0, len(text))
        if first < start or last >= end:
            raise DataError("the mutations lie further apart than a window", where=one.where, got=f"{last - first + 1}",
                            expected=f"at most {end - start} letters", hint="a larger window_bp")
        edits = tuple(edit._replace(start=edit.start - start) for edit in one.edits)
        alleles.append(Allele(text[start:end], edits, one.where))
    return alleles
