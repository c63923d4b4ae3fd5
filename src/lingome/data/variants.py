"""Variants of a genome, and mutants of named sequences (A23G).

Mutations are written with 1-based positions (HGVS, doi:10.1002/humu.22981); here positions are 0-based.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.names import unknown_chromosome
from lingome.data.sequence import as_text

_MUTATION = re.compile(r"([A-Z])([0-9]{1,9})([A-Z])")


class Edit(NamedTuple):
    """One change of a sequence: the letters from `start` (0-based) on, `ref`, become `alt`; either may be empty."""

    start: int
    ref: str
    alt: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A change at one place of a genome.

    Parameters
    ----------
    chrom : str
        Name of the sequence, as in the FASTA.
    start : int
        0-based position of the first letter of `ref`.
    ref, alt : str
        Upper-case letters of the reference, and what stands there instead; empty where letters are deleted.
    name : str
        The file's own name of it, or ``chrom:pos:ref>alt`` with the 1-based position.
    where : str
        ``file:line`` it was read from.
    columns : dict of str to str
        The row's other cells; empty for VCF.
    """

    chrom: str
    start: int
    ref: str
    alt: str
    name: str
    where: str
    columns: Mapping[str, str]

    @property
    def edit(self) -> Edit:
        """The change, in coordinates of the chromosome."""
        return Edit(self.start, self.ref, self.alt)

    @property
    def place(self) -> str:
        """Where it is, the same for all alleles there."""
        return f"{self.chrom}:{self.start}"

    def cells(self) -> dict[str, object]:
        """Give the columns that name it in a table, with the 1-based position."""
        return {"id": self.name, "chrom": self.chrom, "pos": self.start + 1, "ref": self.ref, "alt": self.alt or "-"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A named sequence with letters replaced, all at once.

    Parameters
    ----------
    name : str
        The mutations as they are written.
    edits : tuple of Edit
        By position; one letter each. Empty for the unchanged sequence.
    sequence : str
        Name of the sequence it is of; empty where the table names none.
    where : str
        ``file:line`` it was read from.
    columns : dict of str to str
        The row's other cells.
    """

    name: str
    edits: tuple[Edit, ...]
    sequence: str
    where: str
    columns: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where it is, the same for all mutants of the same letters."""
        return f"{self.sequence}:{[edit.start for edit in self.edits]}"

    def cells(self) -> dict[str, object]:
        """Give the columns that name it in a table."""
        return {"id": self.sequence, "mutations": self.name}


def check_reference(variants: Sequence[Variant], genome: Genome) -> None:
    """Check that every reference allele is what the genome has there.

    Raises
    ------
    DataError
        With file and line, for the first that is not.
    """
    for one in variants:
        if one.chrom not in genome.lengths:
            raise unknown_chromosome(one.chrom, genome.lengths, one.where)
        end = one.start + len(one.ref)
        length = genome.lengths[one.chrom]
        if end > length:
            place = f"{one.chrom}:{one.start + 1}"
            raise DataError("the variant lies beyond its chromosome", where=one.where, got=place,
                            expected=f"{one.chrom} has {length:,} bases", hint="was it called on another assembly?")
        there = as_text(genome.sequence(one.chrom, one.start, end))
        if there != one.ref:
            raise DataError(
                "the reference allele is not what the genome has", where=one.where, got=one.ref[:40],
                expected=f"{there[:40]} at {one.chrom}:{one.start + 1}",
                hint="was it called on another assembly, on the other strand, or with 0-based positions?",
            )


def parse_mutations(text: str, first_position: int = 1, where: str = "mutations") -> tuple[Edit, ...]:
    """Read mutations as they are written: wild type, position, mutant, as A23G; several by ``:`` ``,`` ``;`` or space.

    Parameters
    ----------
    text : str
        ``wt``, ``_wt`` or nothing is the unchanged sequence.
    first_position : int
        Number of the sequence's first letter.

    Raises
    ------
    DataError
        If one is not of this form, changes nothing, lies before the first letter, or two change one letter.

    >>> parse_mutations("A23G:T5S")
    (Edit(start=4, ref='T', alt='S'), Edit(start=22, ref='A', alt='G'))
    """
    if text.strip().lower() in ("wt", "_wt", ""):
        return ()
    edits: dict[int, Edit] = {}
    for word in re.split(r"[:,;\s]+", text.strip().upper()):
        match = _MUTATION.fullmatch(word)
        if match is None:
            raise DataError("this is no mutation", where=where, got=repr(word[:40]),
                            expected="wild type, position, mutant: A23G", hint="several are joined by : or ,")
        ref = match[1]
        start = int(match[2]) - first_position
        alt = match[3]
        if ref == alt:
            raise DataError("the mutation changes nothing", where=where, got=word)
        if start < 0:
            raise DataError("the position is before the first letter", where=where, got=word,
                            expected=f"{first_position} or more", hint="set first_position")
        if start in edits:
            raise DataError("two mutations of one letter", where=where, got=text[:80])
        edits[start] = Edit(start, ref, alt)
    return tuple(edits[start] for start in sorted(edits))
