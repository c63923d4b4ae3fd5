"""Small named steps that turn what a source offers into the data set of the catalog."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lingome.core.errors import DataError


def build(content: bytes, steps: Sequence[tuple[str, Any]]) -> bytes:
    """Apply steps in order to a file's content (not compressed)."""
    for name, value in steps:
        content = STEPS[name](content, value)
    return content


def rename_records(content: bytes, patterns: Mapping[str, str]) -> bytes:
    r"""Give FASTA records new names: the first pattern that is found in the header says which.

    >>> rename_records(b">x [chromosome=IV]\nAC\n", {r"chromosome=(\w+)": r"chr\1"})
    b'>chrIV\nAC\n'
    """

    def header(match: re.Match[bytes]) -> bytes:
        text = match.group(1).decode("utf-8", errors="replace")
        for pattern, name in patterns.items():
            found = re.search(pattern, text)
            if found:
                return b">" + found.expand(name).encode()
        raise DataError("a record that the catalog does not expect", got=text[:100])

    return re.sub(rb"^>([^\r\n]*)", header, content, flags=re.MULTILINE)


def upper_case(content: bytes, wanted: bool) -> bytes:
    r"""Write the letters of a FASTA in upper case; headers stay.

    >>> upper_case(b">chr1\nacGT\n", True)
    b'>chr1\nACGT\n'
    """
    if not wanted:
        return content
    return b"\n".join(line if line.startswith(b">") else line.upper() for line in content.split(b"\n"))


def wrap_lines(content: bytes, width: int) -> bytes:
    r"""Break the sequence lines of a FASTA anew.

    >>> wrap_lines(b">a\nACG\nT\nAC\n", 4)
    b'>a\nACGT\nAC\n'
    """
    parts = []
    for record in re.split(rb"^>", content, flags=re.MULTILINE)[1:]:
        header, _, body = record.partition(b"\n")
        letters = body.translate(None, b"\r\n \t")
        lines = [letters[start : start + width] for start in range(0, len(letters), width)]
        parts.append(b"\n".join([b">" + header.rstrip(b"\r"), *lines]) + b"\n")
    return b"".join(parts)


def rename_seqids(content: bytes, names: Mapping[str, str]) -> bytes:
    r"""Rename the sequences of a GFF, in features and ``##sequence-region``; ``"*"`` is a prefix for the others.

    >>> rename_seqids(b"##sequence-region   I 1 9\nMito\tx\n", {"Mito": "chrM", "*": "chr"})
    b'##sequence-region   chrI 1 9\nchrM\tx\n'
    """
    prefix = names.get("*", "")

    def seqid(match: re.Match[bytes]) -> bytes:
        old = match.group(2).decode()
        return match.group(1) + names.get(old, prefix + old).encode()

    return re.sub(rb"^(##sequence-region\s+|(?=[^#\n]))([^\s#>]+)", seqid, content, flags=re.MULTILINE)


def keep_chromosome(content: bytes, chrom: str) -> bytes:
    """Keep the lines of a BED-like file that lie on one chromosome."""
    start = f"{chrom}\t".encode()
    return b"".join(line for line in content.splitlines(keepends=True) if line.startswith(start))


def keep_columns(content: bytes, count: int) -> bytes:
    """Keep the first columns of a tab-separated file."""
    return b"".join(b"\t".join(line.split(b"\t")[:count]) + b"\n" for line in content.splitlines())


def select_matrices(content: bytes, ids: Sequence[str]) -> bytes:
    """Take matrices from JASPAR's database (SQLite) or text file, and write them with whole counts.

    Raises
    ------
    DataError
        If one of them is not there.
    """
    found = _from_database(content, ids) if content.startswith(b"SQLite format 3\x00") else _from_text(content)
    parts = []
    for wanted in ids:
        if wanted not in found:
            raise DataError(f"the matrix {wanted} is not in this release of JASPAR")
        name, rows = found[wanted]
        parts.append(f">{wanted}\t{name}\n")
        parts.extend(f"{letter} [ {' '.join(str(int(value)) for value in rows[letter])} ]\n" for letter in "ACGT")
    return "".join(parts).encode()


Matrices = dict[str, tuple[str, dict[str, list[float]]]]


def _from_database(content: bytes, ids: Sequence[str]) -> Matrices:
    found: Matrices = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jaspar.sqlite"
        file.write_bytes(content)
        database = sqlite3.connect(file)
        try:
            for wanted in ids:
                base, _, version = wanted.partition(".")
                query = "SELECT ID, NAME FROM MATRIX WHERE BASE_ID = ? AND VERSION = ?"
                for number, name in database.execute(query, (base, int(version))):
                    rows: dict[str, list[float]] = {letter: [] for letter in "ACGT"}
                    data = "SELECT row, val FROM MATRIX_DATA WHERE ID = ? ORDER BY row, col"
                    for letter, value in database.execute(data, (number,)):
                        rows[letter].append(float(value))
                    found[wanted] = (name, rows)
        finally:
            database.close()
    return found


def _from_text(content: bytes) -> Matrices:
    found: Matrices = {}
    for block in content.decode("utf-8", errors="replace").split(">")[1:]:
        header, *lines = block.strip().splitlines()
        key, _, name = header.strip().partition("\t")
        rows = {line.strip()[:1]: [float(word) for word in re.findall(r"[\d.]+", line)] for line in lines}
        found[key] = (name.strip(), rows)
    return found


STEPS: Mapping[str, Callable[[bytes, Any], bytes]] = {
    "rename_records": rename_records,
    "upper_case": upper_case,
    "wrap_lines": wrap_lines,
    "rename_seqids": rename_seqids,
    "keep_chromosome": keep_chromosome,
    "keep_columns": keep_columns,
    "select_matrices": select_matrices,
}
