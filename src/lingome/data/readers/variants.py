"""Read variants: of a genome (VCF, or a table chrom, pos, ref, alt), and of named sequences (A23G).

In files positions are 1-based, as VCF 4.5 has them (https://samtools.github.io/hts-specs/VCFv4.5.pdf, 1.6.1); here
they are 0-based.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.data.genome import Genome
from lingome.data.readers.bed import whole_number
from lingome.data.readers.compressed import read_lines
from lingome.data.readers.tables import NumberedRow, read_rows
from lingome.data.variants import Mutant, Variant, check_reference, parse_mutations

VCF_ENDINGS = (".vcf", ".vcf.gz", ".vcf.bgz")
MUTATION_COLUMNS = ("mutations", "mutation", "mutant", "variant", "variants")
_PLACE = ("chrom", "pos", "ref", "alt")
_LETTERS = re.compile(r"[ACGTN]+")
_WRITTEN = re.compile(r"(?P<chrom>\S+):(?P<pos>[0-9]{1,10}):(?P<ref>[A-Za-z]+)>(?P<alt>[A-Za-z]+|-)")


def is_vcf(path: Path) -> bool:
    """Say whether a name is that of a VCF."""
    return str(path).lower().endswith(VCF_ENDINGS)


def holds_places(path: Path) -> bool:
    """Say whether a file of variants gives places of a genome (VCF, or chrom, pos, ref, alt), not mutations.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    if is_vcf(path):
        return True
    _, cells = next(read_rows(path), (0, {}))
    return set(_PLACE) <= {name.strip().lower() for name in cells}


def read_variants(path: Path, genome: Genome | None = None) -> list[Variant]:
    """Read variants of a genome from a VCF, or a table with the columns chrom, pos, ref, alt.

    Positions in the file are 1-based. A line with several alternative alleles is as many variants. In a table, ``-``
    or nothing as `alt` deletes `ref`. Lines of a VCF that give no letters as ALT (``.``, ``*``, ``<DEL>``,
    break ends) are left out, and counted in a message.

    Parameters
    ----------
    path : Path
        ``.vcf``, plain or compressed; any other name is a table.
    genome : Genome, optional
        When given, each `ref` has to be what it says.

    Raises
    ------
    DataError
        With file and line: a position that is none, an allele that is not A C G T N, alleles that are equal,
        a chromosome that the genome has not, or another reference; or there is no variant.
    """
    path = Path(path)
    if is_vcf(path):
        return _collect(_vcf_rows(path), path, genome, only_letters=True)
    return _collect(_table_rows(((f"{path}:{n}", cells) for n, cells in read_rows(path)), path), path, genome)


def variants_from_rows(
    rows: Iterable[NumberedRow], where: str | Path, genome: Genome | None = None
) -> list[Variant]:
    """Give the variants of the rows of a table, wherever it came from; see `read_variants`.

    Raises
    ------
    DataError
        As `read_variants`.
    """
    return _collect(_table_rows(rows, where), where, genome)


def parse_variant(text: str, where: str = "variant") -> Variant:
    """Read a variant of a genome written as ``chrom:pos:ref>alt``, with the 1-based position.

    Raises
    ------
    DataError
        If it has another form.

    >>> parse_variant("chr20:31000001:A>G").edit
    Edit(start=31000000, ref='A', alt='G')
    """
    match = _WRITTEN.fullmatch(str(text).strip())
    if match is None:
        raise DataError("this is no variant of a genome", where=where, got=repr(text)[:60],
                        expected="chrom:pos:ref>alt, as chr20:31000001:A>G")
    row = {name: match[name] for name in _PLACE}
    return variants_from_rows([(where, row)], where)[0]


def _collect(
    rows: Iterable[_Row], source: str | Path, genome: Genome | None, *, only_letters: bool = False
) -> list[Variant]:
    """Check every row and give its variants; with `only_letters`, alleles without letters are left out and counted."""
    found: list[Variant] = []
    n_left_out = 0
    for where, chrom, pos, ref, alts, name, columns in rows:
        start = whole_number(pos, "pos", where) - 1
        if start < 0:
            raise DataError("positions of variants begin at 1", where=where, got=pos)
        if not _LETTERS.fullmatch(ref):
            raise DataError("the reference allele is no DNA", where=where, got=repr(ref[:40]), expected="A C G T N",
                            hint="write an insertion with the base before it, as VCF does")
        for alt in alts:
            if only_letters and not _LETTERS.fullmatch(alt):
                n_left_out += 1
                continue
            letters = "" if alt == "-" else alt
            if letters and not _LETTERS.fullmatch(letters):
                raise DataError("the alternative allele is no DNA", where=where, got=repr(alt[:40]),
                                expected="A C G T N, or - for a deletion")
            if letters == ref:
                raise DataError("both alleles are the same", where=where, got=f"{ref}>{alt}")
            named = name if name and len(alts) == 1 else f"{chrom}:{start + 1}:{ref}>{letters or '-'}"
            found.append(Variant(chrom, start, ref, letters, named, where, columns))
    if n_left_out:
        say(f"{source}: left out {n_left_out:,} alleles without letters (., *, <...> or break ends)")
    if not found:
        raise DataError("there is no variant in this file", where=source, expected="VCF, or chrom, pos, ref, alt")
    if genome is not None:
        check_reference(found, genome)
    return found


class _Row(NamedTuple):
    """A row of a file of variants; `alts` and `ref` in upper case, `pos` 1-based as it is written."""

    where: str
    chrom: str
    pos: str
    ref: str
    alts: list[str]
    name: str
    columns: Mapping[str, str]


def _vcf_rows(path: Path) -> Iterator[_Row]:
    for number, text in read_lines(path):
        if not text.strip() or text.startswith("#"):
            continue
        where = f"{path}:{number}"
        fields = text.rstrip("\r\n").split("\t")
        if len(fields) < 5:
            raise DataError("too few columns for VCF", where=where, got=text[:80],
                            expected="CHROM, POS, ID, REF, ALT, separated by tabs")
        name = "" if fields[2] == "." else fields[2]
        yield _Row(where, fields[0], fields[1], fields[3].upper(), fields[4].upper().split(","), name, {})


def _table_rows(rows: Iterable[NumberedRow], source: str | Path) -> Iterator[_Row]:
    for where, cells in rows:
        row = {name.strip().lower() if name.strip().lower() in (*_PLACE, "id", "name") else name: cell.strip()
               for name, cell in cells.items()}
        missing = [name for name in _PLACE if name not in row]
        if missing:
            raise DataError(f"the table has no column {missing[0]!r}", where=source, got=", ".join(cells)[:300],
                            expected="chrom, pos (1-based), ref, alt", hint="or a VCF, with a name that ends in .vcf")
        others = {name: cell for name, cell in row.items() if name not in _PLACE}
        alts = (row["alt"].upper() or "-").split(",")
        name = row.get("id") or row.get("name", "")
        yield _Row(where, row["chrom"], row["pos"], row["ref"].upper(), alts, name, others)


def read_mutants(path: Path, sequences: Mapping[str, str], first_position: int = 1) -> list[Mutant]:
    """Read mutants of named sequences from a table with a column of mutations.

    Parameters
    ----------
    path : Path
        CSV or TSV with a column ``mutations`` (or mutation, mutant, variant); with several sequences also
        ``sequence_id``, the name of the one it is of.
    sequences : mapping of str to str
        Sequences by name.
    first_position : int
        Number of their first letter.

    Raises
    ------
    DataError
        With file and line: a mutation that cannot be read, another wild-type letter, or no such sequence.
    """
    found = []
    for number, cells in read_rows(path):
        where = f"{path}:{number}"
        names = {name.strip().lower(): name for name in cells}
        column = next((names[name] for name in MUTATION_COLUMNS if name in names), None)
        if column is None:
            raise DataError("no column of mutations in the header", where=path, got=", ".join(cells)[:300],
                            expected=" or ".join(MUTATION_COLUMNS) + "; or chrom, pos, ref, alt")
        owner = cells[names["sequence_id"]].strip() if "sequence_id" in names else ""
        if not owner and len(sequences) > 1:
            raise DataError("it is not said which sequence is changed", where=where, got=f"{len(sequences)} sequences",
                            expected="a column sequence_id", hint="or give a FASTA of one sequence")
        owner = owner or next(iter(sequences))
        if owner not in sequences:
            raise DataError("there is no such sequence", where=where, got=owner, expected=", ".join(sequences)[:200])
        edits = parse_mutations(cells[column], first_position, where)
        for edit in edits:
            there = sequences[owner][edit.start : edit.start + 1]
            if there != edit.ref:
                shown = f"{there or 'nothing'} at {edit.start + first_position} of {owner}"
                raise DataError("the wild type is not what the sequence has", where=where, expected=shown,
                                got=f"{edit.ref}{edit.start + first_position}{edit.alt}",
                                hint="is it numbered otherwise? set first_position")
        others = {name: cell for name, cell in cells.items() if name != column}
        found.append(Mutant(cells[column].strip() or "wt", edits, owner, where, others))
    if not found:
        raise DataError("the table has no rows", where=path)
    return found
