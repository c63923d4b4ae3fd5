"""Read sequences from whatever holds them: text, lists, arrays, columns and tables of pandas or polars, files.

Neither pandas nor polars is imported: a table is what has ``columns`` and gives a column by its name, a column what
can be iterated over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import ConfigError, DataError
from lingome.data.readers.proteins import check_protein, proteins_from_rows, read_proteins
from lingome.data.readers.tables import NumberedRow, examples_from_rows, read_sequences
from lingome.data.sequence import as_bases, as_text
from lingome.tokens.alphabet import DNA, Alphabet

Sequences = Any
"""What `read_named` reads: see there."""

SHOWN = 60


class Named(NamedTuple):
    """Sequences with their names.

    Parameters
    ----------
    ids : list of str
        Names; numbers from 1 where there are none.
    sequences : list of str
        Upper-case letters.
    """

    ids: list[str]
    sequences: list[str]


def read_named(source: Sequences, alphabet: Alphabet = DNA, column: str | None = None) -> Named:
    """Read names and sequences.

    Parameters
    ----------
    source : str, Path, list, ndarray, Series, DataFrame, dict, Examples or Task
        One sequence as text; the path of a FASTA or table; many sequences as a list, an array or a column; a table
        with a column of sequences; names with sequences; labelled sequences.
    alphabet : Alphabet
        The model's, which decides how letters are read.
    column : str, optional
        The column of sequences in a table; found by its name by default.

    Raises
    ------
    ConfigError
        If a text is both a file and a sequence.
    DataError
        If there is no such file, no sequence, or a letter that the alphabet cannot have.
    """
    source = getattr(source, "examples", source)
    if hasattr(source, "ids") and hasattr(source, "sequences"):
        return Named(list(source.ids), list(source.sequences))
    if isinstance(source, str | Path):
        return _from_text(source, alphabet, column)
    if is_table(source):
        return _from_table(source, alphabet, column)
    if isinstance(source, Mapping):
        named = {str(name): text for name, text in source.items()}
    elif isinstance(source, bytes) or (isinstance(source, np.ndarray) and source.dtype == np.uint8):
        named = {"1": source}
    elif isinstance(source, Iterable):
        named = {str(number): text for number, text in enumerate(source, start=1)}
    else:
        raise DataError("these are no sequences", got=type(source).__name__,
                        expected="text, a list, an array, a column, a table, or the path of a FASTA or table")
    if not named:
        raise DataError("there are no sequences", got=f"an empty {type(source).__name__}")
    return Named(list(named), [clean(text, alphabet, f"sequence {name}") for name, text in named.items()])


def clean(text: Any, alphabet: Alphabet, where: str) -> str:
    """Give the letters of one sequence as the alphabet reads them.

    Parameters
    ----------
    text : str, bytes, or ndarray of uint8, shape (L,)
    alphabet : Alphabet
    where : str
        For messages.

    Raises
    ------
    DataError
        If it is no text, is empty, or has a letter that the alphabet cannot have.
    """
    if isinstance(text, bytes | np.ndarray):
        text = bytes(text).decode("ascii", errors="replace")
    if not isinstance(text, str):
        raise DataError("this is no sequence", where=where, got=repr(text)[:SHOWN], expected="letters")
    letters = text.strip()
    if not letters:
        raise DataError("the sequence is empty", where=where)
    if alphabet is not DNA:
        return check_protein(letters, where)
    try:
        return as_text(as_bases(letters))
    except DataError as error:
        place = f"{where}, {error.where}" if error.where else where
        raise DataError(error.what, where=place, got=error.got, expected="A C G T N, or another IUPAC letter") from None


def is_table(source: Any) -> bool:
    """Say whether this is a table of columns: a DataFrame of pandas or polars, or a dict of columns."""
    if isinstance(source, Mapping):
        return bool(source) and all(not isinstance(one, str | bytes) for one in source.values())
    return hasattr(source, "columns") and hasattr(source, "__getitem__")


def table_rows(source: Any) -> list[NumberedRow]:
    """Give the rows of a table as a file of it would have them: (place, cells as text).

    Missing values are empty cells, and whole numbers are written without a point.

    Raises
    ------
    DataError
        If it has no rows, a column comes twice, or columns differ in length.
    """
    names = [str(name) for name in (source if isinstance(source, Mapping) else source.columns)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("a column comes twice", where="table", got=", ".join(twice))
    keys = list(source if isinstance(source, Mapping) else source.columns)
    columns = {name: [_cell(value) for value in source[key]] for name, key in zip(names, keys, strict=True)}
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError("the columns of the table differ in length", got=lengths)
    if not any(lengths.values()):
        raise DataError("the table has no rows", got=", ".join(names) or "no column")
    each = zip(*columns.values(), strict=True)
    return [(f"row {number}", dict(zip(names, cells, strict=True))) for number, cells in enumerate(each, start=1)]


def _cell(value: Any) -> str:
    if hasattr(value, "item"):  # a number of numpy
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _from_text(source: str | Path, alphabet: Alphabet, column: str | None) -> Named:
    path = Path(source).expanduser()
    try:
        there = path.exists()
    except OSError:  # a long sequence is no file's name
        there = False
    letters = isinstance(source, str) and source.strip().isalpha()
    if there and letters:
        raise ConfigError("this is the name of a file, and could be a sequence", got=str(source)[:SHOWN],
                          hint='write Path("...") for the file, or ["..."] for the sequence')
    if there:
        read = read_sequences if alphabet is DNA else read_proteins
        return Named(*read(path, column))
    if not letters:
        raise DataError("there is no such file, and this is no sequence of letters", got=str(source)[:SHOWN])
    return Named(["1"], [clean(source, alphabet, "sequence 1")])


def _from_table(source: Any, alphabet: Alphabet, column: str | None) -> Named:
    rows = table_rows(source)
    if alphabet is DNA:
        examples = examples_from_rows(rows, "table", column, need_labels=False)
        return Named(list(examples.ids), list(examples.sequences))
    return Named(*proteins_from_rows(rows, "table", column))
