"""Read the tensors of a model folder: one safetensors file, or several with an index.

====================================  ==========================================================
``model.safetensors``                 the usual file
``model.safetensors.index.json``      names its shards, ``model-00001-of-00003.safetensors`` ...
====================================  ==========================================================

Pickles are read on import alone, by `lingome.models.folders.old_weights`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from lingome.core.errors import CheckpointError
from lingome.core.files import digest_file

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_POINTER = b"version https://git-lfs"
_AGAIN = "copy the folder again, or train again"


def weight_files(folder: Path) -> list[Path]:
    """Name the safetensors files of a folder, as far as they should be there.

    Raises
    ------
    CheckpointError
        If there is neither file nor index, the index cannot be read, or a shard is missing.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        pickled = [file.name for end in ("*.bin", "*.pt", "*.ckpt") for file in sorted(folder.glob(end))]
        hint = f"{pickled[0]} is a pickle, read on import alone: lingome model import {folder} -o FOLDER" if (
            pickled) else None
        raise CheckpointError("the weights are missing", where=folder / WEIGHTS, hint=hint)
    names = sorted(set(_read_index(folder / INDEX).values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise CheckpointError("shards of the weights are missing", where=folder, got=", ".join(missing[:3]),
                              expected=f"{len(names)} shards", hint="copy the folder again")
    return [folder / name for name in names]


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read every tensor of a folder's safetensors files, on the CPU, in their own shape and type.

    Raises
    ------
    CheckpointError
        If a file or a shard is missing, damaged, or has not the tensors that the index says.
    """
    files = weight_files(folder)
    if files == [folder / WEIGHTS]:
        return read_safetensors(files[0])
    index = _read_index(folder / INDEX)
    tensors = {}
    for file in files:
        said = {name for name, shard in index.items() if shard == file.name}
        found = read_safetensors(file, f"the shard {file.name} of {len(files)}")
        _check_shard(said, found, file)
        tensors.update(found)
    return tensors


def tensor_names(folder: Path) -> set[str]:
    """Name the tensors of a folder's safetensors files, from their headers: no tensor is read.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged or cut short.
    """
    names: set[str] = set()
    for file in weight_files(folder):
        try:
            with safetensors.safe_open(file, framework="numpy") as opened:
                names.update(opened.keys())
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise CheckpointError("the weights cannot be read: the file is damaged or cut short", where=file, got=error,
                                  hint=_AGAIN) from error
    return names


def digest_weights(folder: Path) -> str:
    """Compute the sha256 of a folder's weights, as 64 hex digits: of the file, or of its shards' digests in order.

    Raises
    ------
    CheckpointError
        As `weight_files`.
    """
    digests = [digest_file(file) for file in weight_files(folder)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def read_safetensors(file: Path, what: str = "the weights") -> dict[str, Tensor]:
    """Read one safetensors file: its tensors by name, each of the shape that it has there.

    Raises
    ------
    CheckpointError
        If it is damaged or cannot be read.
    """
    check_no_pointer(file)
    try:
        return dict(safetensors.torch.load_file(file))
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{what} cannot be read: the file is damaged or cut short", where=file, got=error,
                              hint=_AGAIN) from error


def check_no_pointer(file: Path) -> None:
    """Refuse the small text that Git LFS leaves where it did not fetch a file.

    Raises
    ------
    CheckpointError
        If the file is one.
    """
    try:
        with file.open("rb") as handle:
            start = handle.read(len(_POINTER))
    except OSError:
        return  # whoever reads the file says why it cannot be
    if start == _POINTER:
        raise CheckpointError("this is a pointer of Git LFS, not the weights", where=file,
                              hint="git lfs pull, in the folder that was cloned; or download the file itself")


def _check_shard(said: set[str], found: Mapping[str, Tensor], file: Path) -> None:
    missing = sorted(said - found.keys())
    extra = sorted(found.keys() - said)
    if missing or extra:
        got = "; ".join([*(f"missing {name}" for name in missing[:3]), *(f"unexpected {name}" for name in extra[:3])])
        raise CheckpointError("a shard does not hold what the index says", where=file, got=got,
                              expected=f"{len(said)} tensors named in {INDEX}", hint=_AGAIN)


def _read_index(file: Path) -> dict[str, str]:
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        index = content["weight_map"]
        names = {str(name): str(shard) for name, shard in index.items()}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError("the index of the shards cannot be read", where=file, got=repr(error)[:200],
                              expected='{"weight_map": {tensor: file}}') from error
    outside = [shard for shard in names.values() if Path(shard).name != shard or not shard.endswith(".safetensors")]
    if outside or not names:
        raise CheckpointError("the index names files outside its folder, or none that are safetensors", where=file,
                              got=outside[0] if outside else "no tensors")
    return names
