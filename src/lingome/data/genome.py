"""A genome: named sequences of a FASTA, whole in memory or read through an index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pysam

from lingome.core.errors import DataError
from lingome.core.outcome import Table
from lingome.data.interval import Interval
from lingome.data.names import unknown_chromosome
from lingome.data.readers.bed import whole_number
from lingome.data.readers.compressed import read_lines, sniff
from lingome.data.readers.fasta import LetterCounts, ReadReport, read_fasta, refuse_letters
from lingome.data.sequence import Bases, as_text, reverse_complement

SoftMasked = Literal["upper", "n"]

# Deflate packs at most 1,032 bytes into one; more bases than that in a file are a wrong index.
MAX_RATIO = 1032


class Genome:
    """Sequences by name; `open` makes one.

    Letters are upper-case A, C, G, T, N as uint8. Soft-masked (lower-case) letters become upper
    case, or N with ``soft_masked="n"``; other IUPAC letters become N, U becomes T. `report` counts
    all of that.

    Attributes
    ----------
    path : Path
    lengths : dict of str to int
        Base pairs of each sequence, in file order.
    """

    def __init__(
        self,
        path: Path,
        lengths: dict[str, int],
        sequences: dict[str, Bases],
        report: ReadReport | None,
        digest: str | None = None,
        soft_masked: SoftMasked = "upper",
        indexed: Any = None,
    ) -> None:
        self.path = path
        self.lengths = lengths
        self._sequences = sequences
        self._report = report
        self._digest = digest
        self._indexed = indexed
        self._counts = LetterCounts(soft_masked)

    @classmethod
    def open(cls, path: Path, *, soft_masked: SoftMasked = "upper") -> Genome:
        """Open a FASTA: plain, gzip or bgzip.

        A bgzip file with both indices beside it (``.fai`` and ``.gzi``, as ``samtools faidx``
        writes them) is not loaded: each call reads what it asks for. Every other file is read
        through once and kept at one byte per base.

        Raises
        ------
        DataError
            If the file cannot be read, is no FASTA of DNA, or its index does not fit it.
        """
        path = Path(path)
        index = Path(f"{path}.fai")
        blocks = Path(f"{path}.gzi")
        if sniff(path) == "bgzf" and index.is_file() and blocks.is_file():
            lengths = read_index(index)
            if sum(lengths.values()) > MAX_RATIO * path.stat().st_size:
                raise DataError("the index does not fit the file", where=index, got="lengths beyond the file's size",
                                hint=_REINDEX)
            try:
                handle = pysam.FastaFile(str(path), filepath_index=str(index), filepath_index_compressed=str(blocks))
            except (OSError, ValueError) as error:
                raise DataError("the index cannot be used", where=index, got=error, hint=_REINDEX) from error
            return cls(path, lengths, {}, None, soft_masked=soft_masked, indexed=handle)
        sequences, report, digest = read_fasta(path, soft_masked)
        lengths = {name: len(bases) for name, bases in sequences.items()}
        return cls(path, lengths, sequences, report, digest, soft_masked)

    @property
    def report(self) -> ReadReport:
        """Records, bases, and letters that were changed; partial when an index is used."""
        if self._report is not None:
            return self._report
        return self._counts.report(len(self.lengths), sum(self.lengths.values()), complete=False)

    @property
    def digest(self) -> str:
        """The sha256 of names and upper-case letters: the same however the file is wrapped or compressed."""
        if self._digest is None:
            digest = hashlib.sha256()
            for chrom in self.lengths:
                digest.update(f">{chrom}\n".encode())
                if self._indexed is None:
                    digest.update(self._sequences[chrom].data)
                else:
                    digest.update(LetterCounts("upper").clean(self._fetch(chrom, 0, self.lengths[chrom])))
            self._digest = digest.hexdigest()
        return self._digest

    def sequence(self, chrom: str, start: int = 0, end: int | None = None, strand: str = "+") -> np.ndarray:
        """Give the bases of a stretch.

        Parameters
        ----------
        chrom : str
        start, end : int
            0-based, half-open; to the end of the sequence when `end` is None.
        strand : str
            ``-`` gives the reverse complement; ``+`` and ``.`` do not.

        Returns
        -------
        ndarray of uint8, shape (end - start,)
            ASCII codes of A, C, G, T, N; read-only on the forward strand.

        Raises
        ------
        DataError
            If there is no such chromosome, or the stretch leaves it.
        """
        length = self.length(chrom)
        end = length if end is None else end
        if not 0 <= start <= end <= length:
            raise DataError(
                "this stretch is not on the chromosome", where=self.path, got=f"{chrom}:{start}-{end}",
                expected=f"0 <= start <= end <= {length}",
            )
        if self._indexed is None:
            bases = self._sequences[chrom][start:end]
        else:
            bases = np.frombuffer(self._counts.clean(self._fetch(chrom, start, end)), dtype=np.uint8)
        return reverse_complement(bases) if strand == "-" else bases

    def text(self, interval: Interval) -> str:
        """Give the letters of an interval; the reverse complement when its strand is ``-``.

        Raises
        ------
        DataError
            As `sequence`.
        """
        return as_text(self.sequence(interval.chrom, interval.start, interval.end, interval.strand))

    def __getitem__(self, place: str | Interval) -> str:
        """Give the letters of ``chrom:start-end`` (0-based, half-open; commas allowed), an interval, or a chromosome.

        Raises
        ------
        ConfigError
            If the text names no stretch of this genome.
        DataError
            If there is no such chromosome, or an interval leaves it.
        """
        if isinstance(place, Interval):
            return self.text(place)
        if place in self.lengths or ":" not in place:
            return as_text(self.sequence(place))
        return self.text(Interval.parse(place, self.lengths))

    def __len__(self) -> int:
        """Count the sequences."""
        return len(self.lengths)

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the sequences."""
        return iter(self.lengths)

    def __repr__(self) -> str:
        count = "1 sequence" if len(self) == 1 else f"{len(self):,} sequences"
        named = ", ".join(list(self.lengths)[:5]) + (", ..." if len(self) > 5 else "")
        return f"Genome({self.path.name}: {count}, {sum(self.lengths.values()):,} bases; {named})"

    def _repr_html_(self) -> str:
        title = f"{self.path.name}: {sum(self.lengths.values()):,} bases"
        return Table(title, ("sequence", "bases"), list(self.lengths.items()), thousands=True)._repr_html_()

    def length(self, chrom: str) -> int:
        """Give the base pairs of a chromosome.

        Raises
        ------
        DataError
            If there is no such chromosome; names its near miss (``20`` for ``chr20``).
        """
        if chrom not in self.lengths:
            raise unknown_chromosome(chrom, self.lengths, where=self.path)
        return self.lengths[chrom]

    def _fetch(self, chrom: str, start: int, end: int) -> bytes:
        try:
            raw: bytes = self._indexed.fetch(chrom, start, end).encode("ascii") if end > start else b""
        except (OSError, ValueError, KeyError) as error:
            raise DataError("cannot be read through its index", where=self.path, got=error, hint=_REINDEX) from error
        strange = self._counts.strange(raw)
        if strange:
            raise refuse_letters(raw, strange, self.path, 0, chrom)
        if len(raw) != end - start:
            raise DataError(
                "the index does not fit the file", where=self.path, got=f"{len(raw)} bases",
                expected=f"{end - start} bases for {chrom}:{start}-{end}", hint=_REINDEX,
            )
        return raw


_REINDEX = "make the index again: samtools faidx FILE"


def read_index(path: Path) -> dict[str, int]:
    """Read names and lengths from a ``.fai`` index.

    Raises
    ------
    DataError
        If it is not an index, or a name comes twice.
    """
    lengths: dict[str, int] = {}
    for number, line in read_lines(path):
        fields = line.split("\t")
        if len(fields) < 5:
            raise DataError("not a line of a FASTA index", where=f"{path}:{number}", got=line[:80], hint=_REINDEX)
        numbers = [whole_number(text, "index", f"{path}:{number}") for text in fields[1:5]]
        if fields[0] in lengths:
            raise DataError(f"the record name {fields[0]!r} comes twice", where=f"{path}:{number}", hint=_REINDEX)
        lengths[fields[0]] = numbers[0]
    return lengths
