"""Read a model folder that others wrote, whatever its weights are kept in, and give it as one of ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from lingome.core.errors import CheckpointError, DataError
from lingome.models.folders.checkpoint import (
    BodyHolder,
    check_tokenizer,
    fill_model,
    find_builder,
    lacks_head,
    read_config,
    read_tokenizer,
    with_roles,
)
from lingome.models.folders.families import from_config_json, read_family
from lingome.models.folders.old_weights import find_old_weights, read_pickle
from lingome.models.mapping.family import Family
from lingome.models.mapping.weight_files import INDEX, WEIGHTS, read_safetensors, read_weights, weight_files
from lingome.models.shape import Shape
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer


class Imported(NamedTuple):
    """A model from elsewhere.

    Parameters
    ----------
    model : Module
        In float32, on the CPU, in evaluation mode; a body alone where the file has no head.
    tokenizer : Tokenizer
        Its vocabulary.
    family : Family
        What kind of folder it was.
    files : tuple of Path
        Where weights were read from.
    notes : tuple of str
        What the user should know.
    """

    model: nn.Module
    tokenizer: Tokenizer
    family: Family
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def import_model(path: Path, tokenizer: Path | None = None, *, body_only: bool = False) -> Imported:
    """Read a folder with ``config.json`` and weights in safetensors or old pickled files, or one file of such a folder.

    Parameters
    ----------
    path : Path
        The folder, or a file of weights beside its ``config.json``.
    tokenizer : Path, optional
        Where the vocabulary is, if not in the folder.
    body_only : bool
        Whether to leave heads unread, which is how a model with a head that is not known here is read.

    Raises
    ------
    CheckpointError
        If the model is of a kind that cannot be read, weights are damaged, hold more than tensors, or do not fit the
        shape, or the vocabulary does not fit.
    DataError
        If there is no vocabulary.
    """
    folder = path if path.is_dir() else path.parent
    if not path.exists():
        raise CheckpointError("there is no such file or folder", where=path)
    content = read_config(folder)
    file = folder / "config.json"
    family = read_family(content, file)
    config = from_config_json(content, file)
    words = _vocabulary(folder, tokenizer, family)
    check_tokenizer(words, config, family, tokenizer or folder)
    config = with_roles(config, words)
    files, tensors = _read(path)
    notes = [f"weights were stored as {kinds}; written as asked for" for kinds in [_types(tensors)] if kinds]
    if not body_only and lacks_head(tensors, config, family):
        body_only = True
        notes.append("the file holds no head: the body alone")
    if body_only and family.kind == "tracks":
        raise CheckpointError("a model of tracks is imported whole: its body gives vectors of bins, not of tokens",
                              where=folder, hint="leave out part=body")
    model = _fill(config, family, tensors, files[0], body_only=body_only)
    return Imported(model, words, family, tuple(files), tuple(notes))


def _vocabulary(folder: Path, tokenizer: Path | None, family: Family) -> Tokenizer:
    if tokenizer is not None:
        return load_tokenizer(tokenizer)
    try:
        return read_tokenizer(folder, family.name)
    except DataError as error:
        raise DataError(error.what, where=folder, got=error.got, expected=error.expected,
                        hint="copy the vocabulary into the folder, or say where it is: tokenizer=PATH") from error


def _read(path: Path) -> tuple[list[Path], dict[str, Tensor]]:
    """Give the files of weights and their tensors, under names without what training in parallel put before them."""
    if path.is_file() and path.name != "config.json":
        files = [path]
    else:
        folder = path if path.is_dir() else path.parent
        safe = (folder / WEIGHTS).is_file() or (folder / INDEX).is_file()
        files = weight_files(folder) if safe else find_old_weights(folder)
        if safe:
            return files, _plain(read_weights(folder))
        if not files:
            raise CheckpointError("there are no weights in this folder", where=folder,
                                  expected=f"{WEIGHTS}, {INDEX}, pytorch_model.bin, *.ckpt or *.pt")
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_safetensors(file) if file.suffix == ".safetensors" else read_pickle(file)
    return files, _plain(tensors)


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what wrappers of training put before every name: ``module.``, ``_orig_mod.``."""
    for prefix in ("module.", "_orig_mod.", "module."):
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _types(tensors: dict[str, Tensor]) -> str:
    """Name the floating-point types that are not float32."""
    found = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values() if tensor.is_floating_point()}
    return ", ".join(sorted(found - {"float32"}))


def _fill(config: Shape, family: Family, tensors: dict[str, Tensor], file: Path, *, body_only: bool) -> nn.Module:
    if body_only:
        bare = dataclasses.replace(config, label_names=())
        return fill_model(BodyHolder, bare, family, tensors, file, body_only=True).body
    return fill_model(find_builder(config, family), config, family, tensors, file)

