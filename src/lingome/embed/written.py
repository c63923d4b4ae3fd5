"""Vectors in files: one NumPy archive, or a matrix that goes to the disk while it is made, with a table beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lingome.core.files import atomic_file
from lingome.embed.encode import Rows


@contextmanager
def open_vectors(
    *, out: Path, shape: tuple[int, ...], ids: Sequence[str], made: Mapping[str, object], rows: Rows | None = None,
    force: bool = False,
) -> Iterator[np.ndarray]:
    """Give a matrix to fill; the files appear, whole, when the block ends without an error.

    Parameters
    ----------
    out : Path
        ``.npz``: ids, embeddings, `made`, and for tokens ``cuts``, ``starts``, ``ends``, for bases ``cuts``. ``.npy``:
        the matrix, mapped from the file, and `table_beside` it.
    shape : tuple of int
        (M, D) of the matrix, float32.
    ids : sequence of str
        Names of the sequences.
    made : mapping
        How the vectors were made.
    rows : Rows, optional
        Which tokens or bases the rows are of; None for one row per sequence.
    force : bool
        Whether files that exist are replaced.

    Yields
    ------
    ndarray of float32, shape (M, D)
        In memory, or mapped from the file.
    """
    if out.suffix == ".npz":
        matrix = np.empty(shape, dtype=np.float32)
        yield matrix
        content: dict[str, Any] = {"ids": np.array(ids, dtype=np.str_), "embeddings": matrix, **made}
        if rows is not None:
            content |= {"cuts": rows.cuts} | ({} if rows.bases else {"starts": rows.starts, "ends": rows.ends})
        with atomic_file(out, force=force) as temporary, temporary.open("wb") as handle:
            np.savez(handle, **content)
        return
    with atomic_file(out, force=force) as temporary:
        if 0 in shape:  # nothing can be mapped
            with temporary.open("wb") as handle:
                np.save(handle, np.empty(shape, dtype=np.float32))
            yield np.empty(shape, dtype=np.float32)
        else:
            mapped = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
            yield mapped
            mapped.flush()
            del mapped
        with atomic_file(table_beside(out), force=force) as beside, beside.open("w", encoding="utf-8") as handle:
            handle.writelines(f"# {name}={value}\n" for name, value in made.items())
            handle.writelines(_lines(ids, rows))


def _lines(ids: Sequence[str], rows: Rows | None) -> Iterator[str]:
    """Write the table: one line per token, or one line per sequence with its rows."""
    if rows is not None and not rows.bases:
        yield "id\trow\tstart\tend\n"
        owners = np.repeat(np.arange(len(ids)), np.diff(rows.cuts)).tolist()
        for row, (owner, start, end) in enumerate(zip(owners, rows.starts.tolist(), rows.ends.tolist(), strict=True)):
            yield f"{ids[owner]}\t{row}\t{start}\t{end}\n"
        return
    cuts = range(len(ids) + 1) if rows is None else rows.cuts.tolist()
    yield "id\tfirst_row\tend_row\n"
    for index, one in enumerate(ids):
        yield f"{one}\t{cuts[index]}\t{cuts[index + 1]}\n"


def table_beside(out: Path) -> Path:
    """Name the table of a matrix: X.tsv of X.npy."""
    return out.with_suffix(".tsv")


def say_size(size_bytes: int) -> str:
    """Write a size.

    >>> say_size(1_500_000), say_size(2_340_000_000)
    ('1.5 MB', '2.3 GB')
    """
    return f"{size_bytes / 1e9:,.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:,.1f} MB"
