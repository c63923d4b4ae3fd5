"""Proteins by name, from a FASTA or a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lingome.core.errors import DataError
from lingome.data.readers.compressed import read_blocks
from lingome.data.readers.fasta import FastaParser
from lingome.data.readers.tables import NumberedRow, read_rows
from lingome.data.sequence import as_text

SEQUENCE_NAMES = ("sequence", "seq", "protein", "protein_sequence")


def read_proteins(path: Path, sequence_column: str | None = None) -> tuple[list[str], list[str]]:
    """Read names and residues, upper case, from a FASTA, or a table with a column of sequences.

    Parameters
    ----------
    path : Path
        Plain or compressed.
    sequence_column : str, optional
        Of a table; ``sequence``, ``seq`` or ``protein`` by default. Names are those of its column ``id`` or
        ``name`` where each is there once, else the row's number.

    Raises
    ------
    DataError
        With the file's line: a letter that is no residue, an empty sequence, no such column, no row.
    """
    path = Path(path)
    if next(read_blocks(path), b"").lstrip()[:1] == b">":
        records = {name: as_text(residues) for name, residues in FastaParser(path, "upper", "protein").records()}
        if not records:
            raise DataError("every record is empty", where=path)
        return list(records), list(records.values())
    return proteins_from_rows([(f"{path}:{number}", cells) for number, cells in read_rows(path)], path, sequence_column)


def proteins_from_rows(
    rows: Sequence[NumberedRow], where: str | Path, sequence_column: str | None = None
) -> tuple[list[str], list[str]]:
    """Give names and residues of the rows of a table, wherever it came from; see `read_proteins`.

    Parameters
    ----------
    rows : sequence of (str, dict)
        Place, for messages, and cells by column.
    where : str or Path
        What the table is called in messages.
    sequence_column : str, optional
        As in `read_proteins`.

    Raises
    ------
    DataError
        As `read_proteins`.
    """
    if not rows:
        raise DataError("the table has no rows", where=where)
    header = list(rows[0][1])
    lower = {name.strip().lower(): name for name in reversed(header)}
    column = sequence_column or next((lower[name] for name in SEQUENCE_NAMES if name in lower), "")
    if column not in header:
        raise DataError("no column of sequences in the header", where=where, got=", ".join(header)[:300],
                        expected=sequence_column or " or ".join(SEQUENCE_NAMES))
    sequences = [check_protein(cells[column], place) for place, cells in rows]
    for name in ("id", "name"):
        ids = [cells[lower[name]].strip() for _, cells in rows] if name in lower else []
        if len(set(ids)) == len(rows) and all(ids):
            return ids, sequences
    return [str(number) for number in range(1, len(rows) + 1)], sequences


def check_protein(text: str, where: str) -> str:
    """Give the residues of one sequence in upper case.

    Raises
    ------
    DataError
        If it is empty, or a letter is no residue.
    """
    residues = text.strip().upper()
    if not residues:
        raise DataError("the sequence is empty", where=where)
    strange = sorted({letter for letter in residues if not ("A" <= letter <= "Z" or letter == "*")})
    if strange:
        raise DataError("a letter that is no residue", where=where, got=repr(strange[0]),
                        expected="letters A to Z, or *", hint="remove gaps from alignments")
    return residues
