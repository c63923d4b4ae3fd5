"""JASPAR: read count matrices of motifs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lingome.core.errors import DataError
from lingome.data.motifs import Motif
from lingome.data.readers.compressed import read_lines


def read_jaspar(path: Path) -> list[Motif]:
    """Read count matrices in JASPAR's format: ``>id name``, then the rows A, C, G, T.

    Rows may carry their letter and brackets, or be numbers alone.

    Raises
    ------
    DataError
        With file and line: no matrix, a row that is missing or no numbers, rows of different
        length, negative counts, a column of zeros, an id that comes twice.
    """
    path = Path(path)
    motifs: list[Motif] = []
    header: tuple[int, str] | None = None
    rows: list[list[float]] = []
    for number, line in read_lines(path):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"{path}:{number}"
        if text.startswith(">"):
            if header is not None:
                motifs.append(_motif(path, header, rows))
            header = (number, text[1:].strip())
            rows = []
            if not header[1]:
                raise DataError("a matrix without a name", where=where)
        elif header is None:
            hint = "convert MEME to JASPAR format" if text.startswith("MEME") else None
            raise DataError("no matrix yet", where=where, got=text[:60], expected=">MA0139.1 CTCF", hint=hint)
        else:
            rows.append(_row(text, len(rows), where))
    if header is None:
        raise DataError("there is no matrix in this file", where=path, expected=">MA0139.1 CTCF, then four rows")
    motifs.append(_motif(path, header, rows))
    seen: set[str] = set()
    for motif in motifs:
        if motif.id in seen:
            raise DataError(f"the matrix {motif.id!r} comes twice", where=path)
        seen.add(motif.id)
    return motifs


def _row(text: str, index: int, where: str) -> list[float]:
    match = re.fullmatch(r"([ACGTacgt]?)\s*[:|]?\s*\[?([^\[\]]*)\]?", text)
    letter = match.group(1).upper() if match else ""
    if match is None or index > 3 or letter not in ("", "ACGT"[index]):
        raise DataError("not a row of this matrix", where=where, got=text[:60], expected=f"row {'ACGT'[min(index, 3)]}")
    try:
        values = [float(word) for word in match.group(2).split()]
    except ValueError:
        values = []
    if not values or not all(0 <= value < 1e12 for value in values):
        raise DataError("the counts are not numbers from 0 up", where=where, got=text[:60])
    return values


def _motif(path: Path, header: tuple[int, str], rows: list[list[float]]) -> Motif:
    where = f"{path}:{header[0]}"
    if len(rows) != 4 or len({len(row) for row in rows}) != 1:
        raise DataError(
            "a matrix has four rows of equal length", where=where, got=[len(row) for row in rows], expected="A, C, G, T"
        )
    counts = np.array(rows, dtype=np.float64)
    if not np.all(counts.sum(axis=0) > 0):
        raise DataError("a position of the matrix has no counts", where=where)
    words = header[1].split(maxsplit=1)
    return Motif(words[0], words[1] if len(words) > 1 else words[0], counts)
