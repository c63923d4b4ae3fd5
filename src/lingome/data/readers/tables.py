"""Tables of labelled sequences: CSV or TSV, plain or gzip, one file or a folder of splits."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.data.examples import Examples
from lingome.data.interval import Interval
from lingome.data.readers.bed import whole_number
from lingome.data.readers.compressed import is_folder, read_blocks, read_lines
from lingome.data.readers.fasta import read_fasta
from lingome.data.sequence import as_bases, as_text

SEQUENCE_NAMES = ("sequence", "seq", "dna", "dna_sequence")
LABEL_NAMES = ("label", "labels", "target", "class", "y")
SPLIT_NAMES = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "dev": "valid", "validation": "valid",
    "test": "test", "testing": "test",
}
MAX_CLASSES = 100
_PLACE = ("chrom", "start", "end", "strand")
_KNOWN = {*_PLACE, "split", "id", "name"}
_OWN = {*SEQUENCE_NAMES, *LABEL_NAMES, *_KNOWN}

csv.field_size_limit(1 << 30)

NumberedRow = tuple[str, dict[str, str]]
"""Where a row stands, for messages, and its cells by column."""


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a table with a header, as (line number, column to cell); tabs or commas, told by the header.

    Raises
    ------
    DataError
        With file and line: no header, a column named twice, or a row with more or fewer cells.
    """
    lines = read_lines(path)
    number, header = next(((n, text) for n, text in lines if text.strip() and not text.startswith("#")), (0, ""))
    if not header:
        raise DataError("the table has no header", where=path)
    texts = (text + "\n" for text in chain([header], (text for _, text in lines)))
    reader = csv.reader(texts, delimiter="\t" if "\t" in header else ",")
    columns: list[str] = []
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            where = f"{path}:{number - 1 + reader.line_num}"
            raise DataError("not a row of the table", where=where, got=error) from error
        line = number - 1 + reader.line_num
        if cells is None:
            return
        if not columns:
            columns = cells
            twice = sorted({name for name in columns if columns.count(name) > 1})
            if twice:
                raise DataError("a column comes twice", where=f"{path}:{line}", got=", ".join(twice))
            continue
        if not cells or cells == [""]:
            continue
        if len(cells) != len(columns):
            raise DataError(
                "the row has another number of cells than the header", where=f"{path}:{line}", got=len(cells),
                expected=f"{len(columns)}: {', '.join(columns)}",
            )
        yield line, dict(zip(columns, cells, strict=True))


def read_examples(
    path: Path,
    sequence_column: str | None = None,
    label_column: str | None = None,
    *,
    need_labels: bool = True,
) -> Examples:
    """Read labelled sequences.

    Parameters
    ----------
    path : Path
        CSV or TSV, plain or gzip; or a folder with one such file a split (``train.csv``,
        ``dev.csv``, ``test.csv``), as the GUE benchmark has them.
    sequence_column, label_column : str, optional
        Guessed when not given: ``sequence`` or ``seq``; ``label`` or ``target``.
    need_labels : bool
        Whether a missing label is an error; without, it is -1.

    Returns
    -------
    Examples
        Splits from a ``split`` column (empty where it says something else than train, valid or
        test); intervals from ``chrom start end [strand]`` (0-based half-open); other columns that
        hold numbers in every row in `columns`. Classes are numbered in order of their names,
        whole numbers by size.

    Raises
    ------
    DataError
        With file and line: no such column, a letter that is no DNA, an empty sequence, a missing
        label, or too many classes.
    """
    path = Path(path)
    files = _split_files(path) if is_folder(path) else {path: ""}
    rows: list[NumberedRow] = []
    splits: list[str] = []
    for file, split in files.items():
        for line, cells in read_rows(file):
            rows.append((f"{file}:{line}", cells))
            splits.append(split)
    return examples_from_rows(rows, path, sequence_column, label_column, splits=splits, need_labels=need_labels)


def examples_from_rows(
    rows: Sequence[NumberedRow],
    where: str | Path,
    sequence_column: str | None = None,
    label_column: str | None = None,
    *,
    splits: Sequence[str] = (),
    need_labels: bool = True,
) -> Examples:
    """Give labelled sequences of the rows of a table, wherever it came from; see `read_examples`.

    Parameters
    ----------
    rows : sequence of (str, dict)
        Place, for messages (``file:line``), and cells by column.
    where : str or Path
        What the table is called in messages.
    sequence_column, label_column : str, optional
        As in `read_examples`.
    splits : sequence of str
        The split of each row, where something else than a column names it; empty where nothing does.
    need_labels : bool
        As in `read_examples`.

    Raises
    ------
    DataError
        As `read_examples`.
    """
    if not rows:
        raise DataError("the table has no rows", where=where)
    path = Path(where)
    asked = (sequence_column, label_column)
    rows = [(place, {_plain(name, asked): cell for name, cell in cells.items()}) for place, cells in rows]
    named = [split or row.get("split", "").strip().lower()
             for split, (_, row) in zip(splits or [""] * len(rows), rows, strict=True)]
    header = list(rows[0][1])
    sequence_name = _column(header, sequence_column, SEQUENCE_NAMES, path, "of sequences")
    label_name = label_column
    if label_column is not None or need_labels or any(name.lower() in LABEL_NAMES for name in header):
        label_name = _column(header, label_column, LABEL_NAMES, path, "of labels")
    sequences = [_sequence(row.get(sequence_name, ""), place) for place, row in rows]
    labels, names = _labels(rows, label_name, need_labels)
    return Examples(
        sequences=sequences, labels=labels, splits=_splits(named, path), ids=_ids(rows, header),
        intervals=_intervals(rows, header), label_names=names,
        columns=_numbers(rows, [name for name in header if name.lower() not in _OWN and name not in
                                (sequence_name, label_name)]),
    )


def _plain(name: str, asked: Sequence[str | None]) -> str:
    """Write the columns with a meaning of their own (split, chrom ...) in lower case, unless asked for otherwise."""
    return name.lower() if name.lower() in _KNOWN and name not in asked else name


def _split_files(folder: Path) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for file in sorted(folder.iterdir()):
        stem = file.name.split(".")[0].lower()
        if stem in SPLIT_NAMES and any(part in (".csv", ".tsv", ".txt") for part in file.suffixes):
            found[file] = SPLIT_NAMES[stem]
    if not found:
        raise DataError("no table in this folder", where=folder, expected="train.csv, dev.csv, test.csv (or .tsv, .gz)")
    order = ("train", "valid", "test")
    return dict(sorted(found.items(), key=lambda item: order.index(item[1])))


def _column(header: Sequence[str], asked: str | None, guesses: Sequence[str], path: Path, what: str) -> str:
    if asked is not None:
        if asked in header:
            return asked
        raise DataError(f"there is no column {asked!r}", where=path, got=", ".join(header)[:300])
    lower = {name.strip().lower(): name for name in reversed(header)}
    for guess in guesses:
        if guess in lower:
            return lower[guess]
    raise DataError(
        f"no column {what} in the header", where=path, got=", ".join(header)[:300], expected=" or ".join(guesses),
        hint="name the column, or add a header line",
    )


def _sequence(text: str, where: str) -> str:
    letters = text.strip()
    if not letters:
        raise DataError("the sequence is empty", where=where)
    try:
        return as_text(as_bases(letters))
    except DataError as error:
        place = f"{where}, {error.where}" if error.where else where
        raise DataError(error.what, where=place, got=error.got, expected="A C G T N, or another IUPAC letter") from None


def _labels(
    rows: Sequence[tuple[str, dict[str, str]]], column: str | None, needed: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    if column is None:
        return np.full(len(rows), -1, dtype=np.int64), ("0", "1")
    texts = [row.get(column, "").strip() for _, row in rows]
    for (where, _), text in zip(rows, texts, strict=True):
        if needed and not text:
            raise DataError("the label is missing", where=where, hint="fill it in, or drop the row")
    names = set(texts) - {""}
    if len(names) > MAX_CLASSES:
        raise DataError(
            f"column {column!r} holds {len(names)} different values", where=rows[0][0].rsplit(":", 1)[0],
            expected=f"classes, at most {MAX_CLASSES}", hint="measurements must be cut into classes first",
        )
    ordered = ["0", "1"] if names <= {"0", "1"} else sorted(names, key=_by_size)
    index = {name: position for position, name in enumerate(ordered)}
    labels = np.array([index.get(text, -1) for text in texts], dtype=np.int64)
    return labels, tuple(ordered)


def _by_size(text: str) -> tuple[int, float, str]:
    try:
        value = float(text)
    except ValueError:
        return (1, 0.0, text)
    return (0, value, text) if math.isfinite(value) else (1, 0.0, text)


def _splits(names: Sequence[str], path: Path) -> np.ndarray:
    other = sorted({name for name in names if name and name not in SPLIT_NAMES})
    if other:
        count = sum(name in set(other) for name in names)
        say(f"{path.name}: {count:,} rows are in no split (their split says {', '.join(other[:5])})")
    return np.array([SPLIT_NAMES.get(name, "") for name in names], dtype=object)


def _ids(rows: Sequence[tuple[str, dict[str, str]]], header: Sequence[str]) -> list[str]:
    for column in ("id", "name"):
        if column in header:
            ids = [row.get(column, "") for _, row in rows]
            if len(set(ids)) == len(ids) and all(ids):
                return ids
    return [str(number) for number in range(1, len(rows) + 1)]


def _intervals(rows: Sequence[tuple[str, dict[str, str]]], header: Sequence[str]) -> list[Interval] | None:
    if not {"chrom", "start", "end"} <= set(header):
        return None
    intervals = []
    for where, row in rows:
        start = whole_number(row.get("start", ""), "start", where)
        end = whole_number(row.get("end", ""), "end", where)
        strand = row.get("strand", ".") or "."
        if end < start or strand not in ("+", "-", ".") or not row.get("chrom"):
            raise DataError("not an interval", where=where, got=f"{row.get('chrom')}:{start}-{end}({strand})")
        intervals.append(Interval(row["chrom"], start, end, strand))
    return intervals


def _numbers(rows: Sequence[tuple[str, dict[str, str]]], columns: Sequence[str]) -> Mapping[str, np.ndarray]:
    found = {}
    for column in columns:
        try:
            values = np.array([float(row.get(column, "")) for _, row in rows], dtype=np.float64)
        except ValueError:
            continue
        if np.all(np.isfinite(values)):
            found[column] = values
    return found


def read_sequences(path: Path, sequence_column: str | None = None) -> tuple[list[str], list[str]]:
    """Read names and sequences from a FASTA or a table.

    Raises
    ------
    DataError
        As `FastaParser.records` or `read_examples`.
    """
    path = Path(path)
    if not is_folder(path) and next(read_blocks(path), b"").lstrip()[:1] == b">":
        records, _, _ = read_fasta(path)
        return list(records), [as_text(bases) for bases in records.values()]
    examples = read_examples(path, sequence_column, need_labels=False)
    return list(examples.ids), list(examples.sequences)
