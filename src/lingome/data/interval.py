"""A stretch of a genome: 0-based, half-open, everywhere in lingome."""

from __future__ import annotations

from dataclasses import dataclass, replace


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
