"""A stretch of a genome: 0-based, half-open, everywhere in lingome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lingome.core.errors import ConfigError
from lingome.data.names import unknown_chromosome


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a chromosome.

    Parameters
    ----------
    chrom : str
        Name of the sequence, as in the FASTA.
    start, end : int
        0-based, half-open: the first base is 0, `end` is not part of it.
    strand : str
        ``+``, ``-``, or ``.`` when it does not matter.
    name : str
        Free text; ``.`` when there is none.
    score : float
        Meaning depends on the source (BED score, motif score, probability).
    """

    chrom: str
    start: int
    end: int
    strand: str = "."
    name: str = "."
    score: float = 0.0

    @classmethod
    def parse(cls, text: str, lengths: Mapping[str, int] | None = None) -> Interval:
        """Read ``chrom:start-end`` (0-based, half-open; commas allowed).

        Parameters
        ----------
        text : str
        lengths : mapping of str to int, optional
            Length of each chromosome in bp; when given, the interval must lie on one of them.

        Raises
        ------
        ConfigError
            If the text has another form, or lies outside the genome.

        >>> str(Interval.parse("chr20:61,000,000-63,000,000"))
        'chr20:61000000-63000000'
        """
        chrom, _, span = text.replace(",", "").rpartition(":")
        start, _, end = span.partition("-")
        if not (chrom and start.isdecimal() and end.isdecimal() and int(start) < int(end)):
            raise ConfigError("not a region", got=text, expected="chrom:start-end, 0-based, start below end")
        found = cls(chrom, int(start), int(end))
        if lengths is not None and chrom not in lengths:
            raise ConfigError(str(unknown_chromosome(chrom, lengths, "region")))
        if lengths is not None and found.end > lengths[chrom]:
            raise ConfigError(
                "the region reaches beyond the end of the chromosome", got=text,
                expected=f"at most {lengths[chrom]:,}",
            )
        return found

    @property
    def length_bp(self) -> int:
        """Number of bases."""
        return self.end - self.start

    @property
    def middle(self) -> int:
        """Position of the middle base."""
        return (self.start + self.end) // 2

    def overlaps(self, other: Interval) -> bool:
        """Say whether two intervals share a base; touching is not sharing.

        >>> Interval("chr1", 0, 5).overlaps(Interval("chr1", 5, 9))
        False
        """
        return self.chrom == other.chrom and self.start < other.end and other.start < self.end

    def widened(self, left_bp: int, right_bp: int) -> Interval:
        """Give this interval with more bases on either side (may leave the chromosome)."""
        return replace(self, start=self.start - left_bp, end=self.end + right_bp)

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}" + (f"({self.strand})" if self.strand != "." else "")
