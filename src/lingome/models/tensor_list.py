"""What a checkpoint's weights are, from the header of its safetensors file: no tensor is read."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors

from lingome.core.errors import CheckpointError
from lingome.models.count_rows import Part, write_shape

INDEX = "model.safetensors.index.json"
_BUFFER = re.compile(r"(^|\.)(inv_freq|attn\.masked_bias|pos_emb\.[zt]|modulation\.deltas)$|(^|\.)h\.\d+\.attn\.bias$")
"""Rotary frequencies, HyenaDNA's positions and rates of decay, the causal mask that old files of GPT-2 carry."""
_WHOLE_NUMBERS = frozenset({"I64", "I32", "I16", "U16", "U32", "U64", "BOOL"})
_EMBEDDING = re.compile(r"embed|wte|tokens")
_SINES = ("implicit_filter.3.freq", "implicit_filter.5.freq")
_COPY_OF_EMBEDDING = ("decoder.weight", "lm_head.weight", "embed_out.weight")


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file: its name, its type as the format writes it (F32, BF16), and its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def is_buffer(self) -> bool:
        """Whether it is no parameter: whole numbers, or a table that code could compute."""
        return self.dtype in _WHOLE_NUMBERS or bool(_BUFFER.search(self.name))


def list_tensors(folder: Path) -> list[Tensor]:
    """List the tensors of ``model.safetensors``, or of the shards that its index names.

    Raises
    ------
    CheckpointError
        If there are no weights that can be read safely, or a file is damaged, cut short or missing.
    """
    files = _weight_files(folder)
    tensors: list[Tensor] = []
    for file in files:
        try:
            with safetensors.safe_open(file, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118 - the object is no dictionary
                    view = opened.get_slice(name)
                    tensors.append(Tensor(name, view.get_dtype(), tuple(view.get_shape())))
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise CheckpointError("the weights cannot be read: the file is damaged or cut short", where=file, got=error,
                                  hint="copy the folder again, or train again") from error
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise CheckpointError("a tensor is in two shards", where=folder, hint="copy the folder again")
    return tensors


def weights_size(folder: Path) -> int:
    """Give the size of the weights on disk, in bytes."""
    return sum(file.stat().st_size for file in _weight_files(folder))


def mark_copies(tensors: Sequence[Tensor], *, tied: bool) -> set[str]:
    """Name tensors that are stored though they are another one: a tied output matrix, BERT's bias under a second name.

    The header cannot tell whether two tensors are equal; `tied` is what the configuration says.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    copies = set()
    if tied:
        for tensor in tensors:
            twins = (other for other in tensors if other.shape == tensor.shape and _EMBEDDING.search(other.name))
            if tensor.name.endswith(_COPY_OF_EMBEDDING) and len(tensor.shape) == 2 and any(twins):
                copies.add(tensor.name)
    for name in by_name:  # one vector of frequencies, which old files of HyenaDNA hold three times
        if name.endswith(_SINES) and re.sub(r"\d(?=\.freq$)", "1", name) in by_name:
            copies.add(name)
    for head in ("cls.predictions", "lm_head"):
        bias, copy = f"{head}.bias", f"{head}.decoder.bias"
        if bias in by_name and copy in by_name:
            copies.add(copy)
    return copies


def module_parts(tensors: Sequence[Tensor], copies: set[str]) -> list[Part]:
    """Sum parameters by module; layers of equal shape are one row, with ``*`` for their number.

    Buffers and copies have a row each with 0 parameters, and say so.
    """
    modules: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        note = " (buffer)" if tensor.is_buffer else " (copy)" if tensor.name in copies else ""
        modules.setdefault((tensor.name.rpartition(".")[0] or tensor.name) + note, []).append(tensor)
    times: Counter[tuple[str, tuple[tuple[int, ...], ...]]] = Counter()
    for module, members in modules.items():
        shapes = tuple(sorted((tensor.shape for tensor in members), key=math.prod, reverse=True))
        times[re.sub(r"(^|(?<=\.))\d+(?=\.|$| )", "*", module), shapes] += 1
    parts = []
    for (module, shapes), number in times.items():
        size = 0 if module.endswith((" (buffer)", " (copy)")) else number * sum(math.prod(shape) for shape in shapes)
        term = " + ".join(" x ".join(map(str, shape)) or "1" for shape in shapes)
        if number > 1:
            term = f"{number} x ({term})" if len(shapes) > 1 else f"{number} x {term}"
        parts.append(Part(module, "; ".join(map(write_shape, shapes)), term, size))
    return sorted(parts, key=lambda part: _place(part.component))


def _place(name: str) -> int:
    """Order modules as data flow: embeddings, layers, then the rest."""
    return 0 if "embed" in name else 1 if ".*" in name or name.startswith("*") else 2


def _weight_files(folder: Path) -> list[Path]:
    file = folder / "model.safetensors"
    if file.is_file():
        return [file]
    index = folder / INDEX
    if index.is_file():
        try:
            content: Any = json.loads(index.read_text(encoding="utf-8"))
            names = sorted({str(name) for name in content["weight_map"].values()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError("the index of the weights cannot be read", where=index, got=error) from error
        if any(Path(name).name != name for name in names):
            raise CheckpointError("the index names files outside its folder", where=index, got=", ".join(names[:3]))
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise CheckpointError("shards of the weights are missing", where=folder, got=", ".join(missing[:3]),
                                  expected=f"{len(names)} shards", hint="copy the folder again")
        return [folder / name for name in names]
    pickled = sorted(path.name for path in folder.glob("*.bin")) + sorted(path.name for path in folder.glob("*.pt"))
    hint = None
    if pickled:
        hint = f"{pickled[0]} is a pickle, which is never read: save it again with transformers' save_pretrained"
    raise CheckpointError("the weights are missing", where=file, hint=hint)
