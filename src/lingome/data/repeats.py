"""Where a genome repeats itself: intervals of an annotation, or the lower-case letters of a soft-masked FASTA.

Repeats, old copies of transposons above all, are about half of the human genome. They are guessed from their many
copies, so that a language model spends itself on them; GPN (Benegas et al. 2023, doi:10.1073/pnas.2311219120) counts
their loss a tenth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.readers.bed import bed_rows
from lingome.data.sequence import N


class Repeats:
    """Repeats of a genome, by chromosome.

    Parameters
    ----------
    spans : dict of str to ndarray of int64, shape (n, 2)
        Start and end of each repeat, 0-based, half-open; sorted, and none touches the next.
    """

    def __init__(self, spans: Mapping[str, np.ndarray]) -> None:
        self.spans = dict(spans)

    @classmethod
    def read(cls, path: Path, lengths: Mapping[str, int]) -> Repeats:
        """Read them from a BED, plain or gzip; rows may overlap and stand in any order.

        Chromosomes that the genome does not have are passed over: annotations are of whole assemblies.

        Raises
        ------
        DataError
            If the file is no BED, a row lies beyond its chromosome's end, or none is on this genome.
        """
        rows: dict[str, list[tuple[int, int]]] = {}
        n_rows = 0
        for number, interval, _ in bed_rows(path):
            n_rows += 1
            if interval.chrom in lengths:
                if interval.end > lengths[interval.chrom]:
                    raise DataError(
                        "a repeat lies beyond the end of its chromosome", where=f"{path}:{number}",
                        got=f"{interval.chrom}:{interval.start}-{interval.end}",
                        expected=f"an end of at most {lengths[interval.chrom]}", hint="is it of another assembly?",
                    )
                rows.setdefault(interval.chrom, []).append((interval.start, interval.end))
        if not rows:
            raise DataError(
                "no repeat is on this genome", where=path, got=f"{n_rows:,} rows",
                expected=f"chromosomes {', '.join(list(lengths)[:5])}", hint="do both say chr20, or both 20?",
            )
        return cls({chrom: merged(np.array(spans, dtype=np.int64)) for chrom, spans in rows.items()})

    @classmethod
    def of_soft_masked(cls, path: Path) -> Repeats:
        """Take the lower-case letters of a FASTA.

        Raises
        ------
        DataError
            If it has none.
        """
        upper = Genome.open(path)
        masked = Genome.open(path, soft_masked="n")
        spans = {}
        for chrom in upper.lengths:
            inside = (masked.sequence(chrom) == N) & (upper.sequence(chrom) != N)
            edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
            spans[chrom] = edges.reshape(-1, 2).astype(np.int64)
        if not any(len(found) for found in spans.values()):
            raise DataError(
                "no letter of this genome is lower case", where=path, expected="repeats in lower case",
                hint="take the soft-masked file of the assembly, or repeats=FILE.bed",
            )
        return cls(spans)

    @property
    def digest(self) -> str:
        """The sha256 of all intervals."""
        found = hashlib.sha256()
        for chrom in sorted(self.spans):
            found.update(chrom.encode() + b"\0" + self.spans[chrom].tobytes())
        return found.hexdigest()

    def inside(self, part: Interval) -> np.ndarray:
        """Say of each base of an interval, as its strand reads them, whether it is in a repeat.

        Returns
        -------
        ndarray of bool, shape (length_bp,)
        """
        spans = self.spans.get(part.chrom, np.empty((0, 2), dtype=np.int64))
        steps = np.zeros(part.length_bp + 1, dtype=np.int8)
        kept = spans[(spans[:, 1] > part.start) & (spans[:, 0] < part.end)]
        steps[np.maximum(kept[:, 0] - part.start, 0)] += 1
        steps[np.minimum(kept[:, 1], part.end) - part.start] -= 1
        found: np.ndarray = np.cumsum(steps[:-1], dtype=np.int8) > 0
        return found[::-1] if part.strand == "-" else found

    def shares(self, part: Interval, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Say which share of the bases of each token of an interval lies in repeats.

        Parameters
        ----------
        starts, ends : ndarray of int64, shape (n,)
            Bases of each token, counted from where the interval's strand begins, half-open, at least one.

        Returns
        -------
        ndarray of float16, shape (n,)
            0 outside repeats, 1 inside.

        Examples
        --------
        >>> repeats = Repeats({"c": np.array([[2, 5]])})
        >>> repeats.shares(Interval("c", 0, 8), np.array([0, 2, 4]), np.array([2, 4, 8])).tolist()
        [0.0, 1.0, 0.25]
        >>> repeats.shares(Interval("c", 0, 8, "-"), np.array([0, 4, 6]), np.array([4, 6, 8])).tolist()
        [0.25, 1.0, 0.0]
        """
        before = np.concatenate([[0], np.cumsum(self.inside(part))])
        share: np.ndarray = ((before[ends] - before[starts]) / (ends - starts)).astype(np.float16)
        return share


def merged(spans: np.ndarray) -> np.ndarray:
    """Sort intervals and join those that overlap or touch; empty ones are left out.

    Parameters
    ----------
    spans : ndarray of int64, shape (N, 2)
        Start and end of each, half-open.

    Returns
    -------
    ndarray of int64, shape (M, 2)

    >>> merged(np.array([[5, 7], [0, 2], [1, 4], [7, 8], [9, 9]])).tolist()
    [[0, 4], [5, 8]]
    """
    spans = spans[spans[:, 0] < spans[:, 1]]
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    begins = np.flatnonzero(np.append(True, spans[1:, 0] > reach[:-1]))
    return np.stack([spans[begins, 0], reach[np.append(begins[1:] - 1, len(spans) - 1)]], axis=1)
