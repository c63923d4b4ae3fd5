"""Read old pickled weights (``pytorch_model.bin``, ``*.ckpt``, ``*.pt``), to convert them; the only place that does.

A pickle can run any program when it is opened. Here only tensors and plain values are taken out of it, and a
file that holds anything else is refused; what is written is always safetensors.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from lingome.core.errors import CheckpointError
from lingome.models.mapping.weight_files import check_no_pointer

BIN_INDEX = "pytorch_model.bin.index.json"


def find_old_weights(folder: Path) -> list[Path]:
    """Name the pickled files of a folder: ``pytorch_model.bin``, its shards, or the only file of another name.

    Raises
    ------
    CheckpointError
        If there are several of which none comes first, or the index of shards cannot be read.
    """
    if (folder / "pytorch_model.bin").is_file():
        return [folder / "pytorch_model.bin"]
    if (folder / BIN_INDEX).is_file():
        try:
            names = sorted(set(json.loads((folder / BIN_INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError("the index of the shards cannot be read", where=folder / BIN_INDEX,
                                  got=repr(error)[:200], expected='{"weight_map": {tensor: file}}') from error
        missing = [str(name) for name in names if Path(str(name)).name != name or not (folder / str(name)).is_file()]
        if missing:
            raise CheckpointError("shards of the weights are missing", where=folder, got=", ".join(missing[:3]),
                                  expected=f"{len(names)} shards", hint="copy the folder again")
        return [folder / name for name in names]
    found = sorted(file for end in ("*.ckpt", "*.pt", "*.pth", "*.bin") for file in folder.glob(end)
                   if file.name not in ("training_args.bin", "optimizer.pt", "scheduler.pt"))
    if len(found) > 1:
        raise CheckpointError("there are several files of weights", where=folder,
                              got=", ".join(file.name for file in found[:5]), expected="one",
                              hint="name the file itself: lingome model import FOLDER/FILE")
    return found


def read_pickle(file: Path) -> dict[str, Tensor]:
    """Read the tensors of an old ``.bin``, ``.pt`` or ``.ckpt`` file by name, of any shape; run none of what it holds.

    Only tensors and plain values are taken (PyTorch calls it ``weights_only``). The dictionary of tensors may be
    the file's content, or lie in it under ``state_dict``, ``model`` or ``model_state_dict``, as training code
    writes it.

    Raises
    ------
    CheckpointError
        If it holds anything else (a pickle can run any program), or no tensors, or is damaged.
    """
    check_no_pointer(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles it was not made for, which are refused below
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            "this pickle holds more than tensors and plain values, and is not opened", where=file,
            got=_first_refusal(error), expected="weights alone", hint="a pickle can run any program when it is opened; "
            "ask for model.safetensors, or convert it where you trust it",
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError("the weights cannot be read: the file is damaged or is no such file", where=file,
                              got=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
                              hint="copy the file again") from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    tensors = {str(name): one for name, one in content.items() if isinstance(one, Tensor)} if isinstance(
        content, Mapping) else {}
    if not tensors:
        raise CheckpointError("there are no named tensors in this file", where=file, got=type(content).__name__,
                              expected="a dictionary of tensors")
    return tensors


def _first_refusal(error: Exception) -> str:
    """Give torch's reason, without its advice to read the file all the same."""
    lines = [line.strip() for line in str(error).splitlines() if "global" in line.lower() or "Unsupported" in line]
    return (lines[0] if lines else "it cannot be read as weights alone")[:200]
