"""Tensors of a training state on disk: one safetensors file, or one per process with an index in JSON.

::

    weights.safetensors                     one process, or all of them hold everything
    weights-00001-of-00002.safetensors      the rows of process 0
    weights.index.json                      {"tensors": {name: {"shape": [..], "parts": [[file, start, stop], ..]}}}

torch's own writer of distributed checkpoints (`torch.distributed.checkpoint`) pickles its index; here
nothing is pickled. Any number of processes reads what any number wrote: rows are asked for by number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lingome.core.errors import CheckpointError, DataError
from lingome.core.files import explain_os_errors
from lingome.train.parallel.sharded import rows_of

HINT = "start the run again with --force"


def write_tensors(file: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file through to the disk; tensors of any shape, by name."""
    with explain_os_errors(file), file.open("wb") as handle:
        handle.write(save(dict(tensors)))  # the library's own writer hides a full disk
        handle.flush()
        os.fsync(handle.fileno())


def part_name(stem: str, rank: int, size: int) -> str:
    """Name the file of one process.

    >>> part_name("weights", 0, 2)
    'weights-00001-of-00002.safetensors'
    """
    return f"{stem}-{rank + 1:05d}-of-{size:05d}.safetensors"


def write_index(folder: Path, stem: str, shapes: Mapping[str, tuple[int, ...]], split: set[str], size: int) -> None:
    """Write the index of files that all processes have written.

    Parameters
    ----------
    folder : Path
        Where the files are.
    stem : str
        What their names begin with, as in `part_name`.
    shapes : mapping
        Shape of each whole tensor.
    split : set of str
        Those that are cut by rows; the first process holds the others.
    size : int
        Number of processes.

    Raises
    ------
    DataError
        If a file is not there, because the processes do not see the same folder.
    """
    files = [part_name(stem, rank, size) for rank in range(size)]
    for rank, name in enumerate(files):
        if not (folder / name).is_file():
            raise DataError(
                f"what process {rank} wrote is not here", where=folder / name,
                hint="put -o on a file system that all machines share",
            )
    tensors: dict[str, Any] = {}
    for name, shape in shapes.items():
        parts = [[files[0], 0, shape[0] if shape else 1]]
        if name in split:
            ranges = [rows_of(shape[0], rank, size) for rank in range(size)]
            parts = [[files[rank], *rows] for rank, rows in enumerate(ranges) if rows[0] < rows[1]]
        tensors[name] = {"shape": list(shape), "parts": parts}
    with (folder / f"{stem}.index.json").open("w", encoding="utf-8") as handle:
        json.dump({"tensors": tensors}, handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())


class StoredTensors:
    """Tensors in a folder, read by name and rows.

    Raises
    ------
    CheckpointError
        Here and when reading, if a file is missing, damaged, or not as the index says.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self.folder = folder
        index = folder / f"{stem}.index.json"
        file = f"{stem}.safetensors"
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._parts: dict[str, list[tuple[str, int, int]]] = {}
        try:
            if index.is_file():
                for name, entry in json.loads(index.read_text(encoding="utf-8"))["tensors"].items():
                    self.shapes[name] = tuple(int(n) for n in entry["shape"])
                    self._parts[name] = [(str(part), int(start), int(stop)) for part, start, stop in entry["parts"]]
                    _check_tiles(name, self.shapes[name], self._parts[name])
            else:
                with safe_open(folder / file, "pt") as opened:
                    for name in opened.keys():  # noqa: SIM118 - a file, not a dictionary
                        self.shapes[name] = tuple(opened.get_slice(name).get_shape())
                        self._parts[name] = [(file, 0, self.shapes[name][0] if self.shapes[name] else 1)]
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                "the training state cannot be read", where=index if index.is_file() else folder / file, got=error,
                hint=HINT,
            ) from error

    def read(self, name: str, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Read a tensor, or its rows from `start` to before `stop`.

        Parameters
        ----------
        name : str
            A name in `shapes`.
        start, stop : int
            First row, and one past the last; to the end by default.

        Returns
        -------
        Tensor, shape (stop - start, ...)
            A scalar as it is.

        Raises
        ------
        CheckpointError
            If a file is missing, damaged, or not as the index says.
        """
        shape = self.shapes[name]
        if not shape:
            whole: torch.Tensor = self._take(self._parts[name][0][0], name, None)
            return whole
        stop = shape[0] if stop is None else stop
        found = [
            self._take(file, name, slice(max(start, first) - first, min(stop, last) - first))
            for file, first, last in self._parts[name] if first < stop and start < last
        ]
        rows = torch.cat(found) if len(found) != 1 and found else (found[0] if found else torch.empty(0, *shape[1:]))
        if rows.shape != (max(0, stop - start), *shape[1:]):
            raise CheckpointError(
                f"the saved tensor {name!r} is not as its index says", where=self.folder,
                got=tuple(rows.shape), expected=(stop - start, *shape[1:]), hint=HINT,
            )
        return rows

    def _take(self, file: str, name: str, rows: slice | None) -> torch.Tensor:
        try:
            with safe_open(self.folder / file, "pt") as opened:
                taken: torch.Tensor = opened.get_tensor(name) if rows is None else opened.get_slice(name)[rows]
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                "the training state cannot be read", where=self.folder / file, got=error, hint=HINT
            ) from error
        return taken


def _check_tiles(name: str, shape: tuple[int, ...], parts: list[tuple[str, int, int]]) -> None:
    """Refuse an index whose parts leave a gap or overlap."""
    end = 0
    for _, start, stop in parts:
        if start != end or stop < start:
            raise ValueError(f"the parts of {name!r} do not follow each other: {parts}")
        end = stop
    if end != (shape[0] if shape else 1):
        raise ValueError(f"the parts of {name!r} hold {end} of {shape[0] if shape else 1} rows")
