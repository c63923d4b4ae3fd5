"""Read FASTA, whole or a record at a time: fast, counted, and strict about what is no DNA (or protein)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.data.names import unknown_chromosome
from lingome.data.readers.compressed import read_blocks
from lingome.data.sequence import DNA, IUPAC, UPPER, Bases

_SPACE = b"\n\r\t "
_LOWER = DNA.lower().encode()
_KNOWN = (DNA + DNA.lower()).encode()
_MASK = bytes(ord("N") if code in _LOWER else UPPER[code] for code in range(256))
_PROTEIN_ONLY = set("EFILPQZ*")
_PROTEIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_UPPER_PROTEIN = bytes(range(256)).upper()

Written = Literal["dna", "protein"]


@dataclass(frozen=True)
class ReadReport:
    """What was found in a FASTA.

    Parameters
    ----------
    records, bases : int
        Sequences kept, and their letters.
    n_bases : int
        Bases held as N, whatever they were in the file.
    lower_case : int
        Soft-masked letters in the file.
    other_letters : int
        IUPAC letters other than A, C, G, T, U, N; held as N.
    letters : dict of str to int
        The same, a letter each.
    uracil : int
        U in the file, held as T.
    empty_records : tuple of str
        Records without sequence, left out.
    soft_masked : str
        What became of lower case: ``upper`` or ``n``.
    complete : bool
        False when the file is read through an index: the counts then cover what was read so far.
    """

    records: int
    bases: int
    n_bases: int
    lower_case: int
    other_letters: int
    letters: dict[str, int] = field(default_factory=dict)
    uracil: int = 0
    empty_records: tuple[str, ...] = ()
    soft_masked: str = "upper"
    complete: bool = True


class LetterCounts:
    """Clean letters and count what was changed."""

    def __init__(self, soft_masked: str) -> None:
        self.soft_masked = soft_masked
        self.n_bases = self.lower_case = self.uracil = 0
        self.letters: dict[str, int] = {}

    def strange(self, raw: bytes) -> bytes:
        """Give the letters that are no DNA."""
        return raw.translate(None, _KNOWN + _SPACE)

    def clean(self, raw: bytes) -> bytes:
        """Drop white space, apply the policies and count; `raw` holds nothing strange."""
        rest = raw.translate(None, b"ACGT" + _SPACE)
        if rest:
            lower = len(rest) - len(rest.translate(None, _LOWER))
            self.lower_case += lower
            folded = rest.upper()
            self.uracil += folded.count(b"U")
            for letter in set(folded.translate(None, b"ACGTUN").decode("ascii")):
                self.letters[letter] = self.letters.get(letter, 0) + folded.count(letter.encode())
            held = rest.translate(_MASK if self.soft_masked == "n" else UPPER)
            self.n_bases += held.count(b"N")
        return raw.translate(_MASK if self.soft_masked == "n" else UPPER, _SPACE)

    def report(self, records: int, bases: int, empty: tuple[str, ...] = (), complete: bool = True) -> ReadReport:
        """Sum up.

        Parameters
        ----------
        records, bases : int
            Read in all.
        empty : tuple of str
            Names of records without a letter.
        complete : bool
            False when the file is read through an index, and the counts cover what was read so far.
        """
        return ReadReport(
            records=records, bases=bases, n_bases=self.n_bases, lower_case=self.lower_case,
            other_letters=sum(self.letters.values()), letters=dict(sorted(self.letters.items())),
            uracil=self.uracil, empty_records=empty, soft_masked=self.soft_masked, complete=complete,
        )


class ProteinCounts(LetterCounts):
    """Do the same for residues: upper case, nothing replaced."""

    def strange(self, raw: bytes) -> bytes:
        """Give what is no letter of a protein."""
        return raw.translate(None, _PROTEIN + _PROTEIN.lower() + _SPACE)

    def clean(self, raw: bytes) -> bytes:
        """Drop white space and turn to upper case."""
        return raw.translate(_UPPER_PROTEIN, _SPACE)


def refuse_letters(raw: bytes, strange: bytes, path: Path, line: int, name: str) -> DataError:
    """Explain the first letter that is no DNA.

    Parameters
    ----------
    raw : bytes
        A piece of the file.
    strange : bytes
        Those of its letters that are no DNA, in order; at least one.
    path : Path
        The file.
    line : int
        Number of the first line of the piece; 0 where it is not known.
    name : str
        Of the record.

    Returns
    -------
    DataError
        For the caller to raise.
    """
    at = raw.index(strange[:1])
    letter = chr(strange[0])
    ends = raw.count(b"\n", 0, at)
    where = f"{path}:{line + ends}" if line else f"{path}"
    what = f"the letter {letter!r} in record {name!r} is no DNA"
    if letter.upper() in _PROTEIN_ONLY:
        return DataError(
            what, where=where, got="this looks like a protein", expected=f"A C G T N, U, or {' '.join(IUPAC)}",
            hint="give a FASTA of nucleotides",
        )
    hint = "remove the gaps" if letter in "-." else "check that this is a FASTA of nucleotides"
    return DataError(what, where=where, expected=f"A C G T N, U, or {' '.join(IUPAC)}", hint=hint)


class FastaParser:
    """Take a FASTA apart block by block.

    Parameters
    ----------
    path : Path
        Plain, gzip or bgzip.
    soft_masked : str
        ``upper`` or ``n``.
    written : {"dna", "protein"}
        What its letters are.
    """

    def __init__(self, path: Path, soft_masked: str, written: Written = "dna") -> None:
        self.path = path
        self.written = written
        self.counts = LetterCounts(soft_masked) if written == "dna" else ProteinCounts(soft_masked)
        self.lines_of: dict[str, int] = {}
        self.empty: list[str] = []
        self.digest = hashlib.sha256() if soft_masked == "n" else None
        self._name: str | None = None
        self._pieces: list[bytes] = []
        self._line = 1

    def records(self) -> Iterator[tuple[str, Bases]]:
        """Give each record's name and its bases, a read-only uint8 array; memory is 2 bytes per base of the longest.

        Raises
        ------
        DataError
            If there is no header, a name comes twice or is missing, a letter is no DNA, or the
            file cannot be read.
        """
        header: bytes | None = None
        at_line_start = True
        for block in read_blocks(self.path):
            position = 0
            while position < len(block):
                if header is not None:
                    end = block.find(b"\n", position)
                    header += block[position : end if end >= 0 else len(block)]
                    if len(header) > 1 << 20:
                        raise DataError("a header of more than a million letters", where=f"{self.path}:{self._line}")
                    if end < 0:
                        break
                    yield from self._finish()
                    self._begin(header)
                    header = None
                    position = end + 1
                    at_line_start = True
                elif at_line_start and block[position] == ord(">"):
                    header = b""
                    position += 1
                else:
                    following = block.find(b"\n>", position)
                    end = following + 1 if following >= 0 else len(block)
                    self._take(block[position:end])
                    at_line_start = block[end - 1] == ord("\n")
                    position = end
        if header is not None:
            yield from self._finish()
            self._begin(header)
        yield from self._finish()
        if not self.lines_of:
            raise DataError("there is no record in this file", where=self.path, expected="a FASTA: >name, then letters")

    def _begin(self, header: bytes) -> None:
        if b"\r" in header.rstrip(b"\r"):
            raise DataError(
                "lines end with carriage returns alone", where=self.path, hint="convert them: tr '\\r' '\\n'"
            )
        words = header.decode("utf-8", errors="replace").split()
        if not words or header[:1].isspace():
            raise DataError("a record without a name", where=f"{self.path}:{self._line}", got=">" + " ".join(words))
        name = words[0]
        if name in self.lines_of:
            raise DataError(
                f"the record name {name!r} comes twice", where=f"{self.path}:{self._line}",
                got=f"lines {self.lines_of[name]} and {self._line}", hint="give every record its own name",
            )
        self._name = name
        self._pieces = []
        self.lines_of[name] = self._line
        self._line += 1

    def _take(self, raw: bytes) -> None:
        strange = self.counts.strange(raw)
        if self._name is None:
            if not raw.strip():
                self._line += raw.count(b"\n")
                return
            blank = raw[: len(raw) - len(raw.lstrip())].count(b"\n")
            raise DataError(
                "text before the first header", where=f"{self.path}:{self._line + blank}",
                got=repr(raw.strip()[:40].decode("latin-1")), expected="a FASTA: >name, then letters",
            )
        if strange and self.written == "protein":
            raise DataError(
                f"the letter {chr(strange[0])!r} in record {self._name!r} is no residue", where=self.path,
                expected="letters A to Z, or *", hint="remove gaps from alignments",
            )
        if strange:
            raise refuse_letters(raw, strange, self.path, self._line, self._name)
        letters = self.counts.clean(raw)
        if letters:
            self._add_to_digest(raw)
            self._pieces.append(letters)
        self._line += raw.count(b"\n")

    def _add_to_digest(self, raw: bytes) -> None:
        """Take letters into account before soft masking hides them."""
        if self.digest is not None:
            if not self._pieces:
                self.digest.update(f">{self._name}\n".encode())
            self.digest.update(raw.translate(UPPER, _SPACE))

    def _finish(self) -> Iterator[tuple[str, Bases]]:
        if self._name is None:
            return
        letters = b"".join(self._pieces)
        self._pieces = []
        if letters:
            yield self._name, np.frombuffer(letters, dtype=np.uint8)
        else:
            self.empty.append(self._name)


def read_fasta(path: Path, soft_masked: str = "upper") -> tuple[dict[str, Bases], ReadReport, str | None]:
    """Read a FASTA whole.

    Returns
    -------
    sequences : dict of str to ndarray of uint8
        In file order; empty records left out.
    report : ReadReport
    digest : str or None
        sha256 of names and upper-case letters, when soft masking would hide them later.

    Raises
    ------
    DataError
        As `FastaParser.records`, or if every record is empty.
    """
    parser = FastaParser(path, soft_masked)
    sequences: dict[str, Bases] = {}
    with track(f"reading {path.name}", unit="bases") as task:
        for name, bases in parser.records():
            sequences[name] = bases
            task.advance(len(bases))
    if not sequences:
        raise DataError("every record is empty", where=path, got=f"{len(parser.empty)} records without sequence")
    report = parser.counts.report(
        len(sequences), sum(len(bases) for bases in sequences.values()), tuple(parser.empty)
    )
    return sequences, report, parser.digest.hexdigest() if parser.digest is not None else None


class FastaStream:
    """Records of one or more FASTA files, each read when it is asked for and let go.

    Parameters
    ----------
    paths : sequence of Path
        Plain, gzip or bgzip.
    chroms : sequence of str
        Records to give; all when empty.
    soft_masked : {"upper", "n"}
        What becomes of lower case.
    written : {"dna", "protein"}
        What the letters are.

    Attributes
    ----------
    lengths : list of dict of str to int
        For each file, the length of every record given so far.
    digests : list of str
        For each file read to its end, what `Genome.digest` says of it.
    """

    def __init__(
        self, paths: Sequence[Path], chroms: Sequence[str] = (), soft_masked: str = "upper", written: Written = "dna"
    ) -> None:
        self.paths = paths
        self.chroms = chroms
        self.soft_masked = soft_masked
        self.written = written
        self.lengths: list[dict[str, int]] = []
        self.digests: list[str] = []

    def __iter__(self) -> Iterator[Bases]:
        """Give the letters of each record, uint8.

        Raises
        ------
        DataError
            As `FastaParser.records`; if a file is empty or written in other letters; or, once all
            files were read, if one of `chroms` is in none of them.
        """
        self.lengths = []
        self.digests = []
        known: dict[str, int] = {}
        for path in self.paths:
            self.lengths.append({})
            parser = FastaParser(path, self.soft_masked, self.written)
            digest = hashlib.sha256()
            nucleotides = total = 0
            for name, bases in parser.records():
                known[name] = len(bases)
                total += len(bases)
                digest.update(f">{name}\n".encode())
                digest.update(bases.data)
                if self.written == "protein":
                    nucleotides += sum(int(np.count_nonzero(bases == code)) for code in b"ACGTUN")
                if not self.chroms or name in self.chroms:
                    self.lengths[-1][name] = len(bases)
                    yield bases
                del bases  # two long records are never held together
            if not total:
                raise DataError("every record is empty", where=path, got=f"{len(parser.empty)} records")
            if nucleotides > 0.9 * total:
                raise DataError("this looks like DNA, not protein", where=path,
                                got=f"{nucleotides / total:.0%} of its letters are A, C, G, T, U or N",
                                hint="give a FASTA of proteins; for DNA, leave out alphabet=protein")
            self.digests.append((parser.digest or digest).hexdigest())
        for chrom in self.chroms:
            if chrom not in known:
                raise unknown_chromosome(chrom, known, where=", ".join(map(str, self.paths)))
