"""What a checkpoint's weights are, from the header of its safetensors file: no tensor is read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors

from lingome.core.errors import CheckpointError
from lingome.models.counting.rows import Part, write_shape
from lingome.models.mapping.weight_files import weight_files

_BUFFER = re.compile(r"(^|\.)(inv_freq|attn\.masked_bias|pos_emb\.[zt]|modulation\.deltas)$|(^|\.)h\.\d+\.attn\.bias$")
"""Rotary frequencies, HyenaDNA's positions and rates of decay, the causal mask that old files of GPT-2 carry."""
_WHOLE_NUMBERS = frozenset({"I64", "I32", "I16", "U16", "U32", "U64", "BOOL"})
_EMBEDDING = re.compile(r"embed|wte|tokens|^shared")
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
    """List names, types and shapes of the tensors of ``model.safetensors``, or of the shards that its index names.

    Raises
    ------
    CheckpointError
        If there are no weights that can be read safely, or a file is damaged, cut short or missing.
    """
    files = weight_files(folder)
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
    return sum(file.stat().st_size for file in weight_files(folder))


def mark_copies(tensors: Sequence[Tensor], *, tied: bool) -> set[str]:
    """Name tensors that are stored though they are another one: a tied output matrix, BERT's bias under a second name.

    The header cannot tell whether two `tensors` of one shape are equal; `tied` is what the configuration says.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    copies = set()
    if tied:
        for tensor in tensors:
            twins = (other for other in tensors if other.shape == tensor.shape and _EMBEDDING.search(other.name))
            if tensor.name.endswith(_COPY_OF_EMBEDDING) and len(tensor.shape) == 2 and any(twins):
                copies.add(tensor.name)
    if "shared.weight" in by_name:  # old files of T5 hold the embedding once for each stack
        copies |= by_name.keys() & {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}
    for name in by_name:  # one vector of frequencies, which old files of HyenaDNA hold three times
        if name.endswith(_SINES) and re.sub(r"\d(?=\.freq$)", "1", name) in by_name:
            copies.add(name)
    for head in ("cls.predictions", "lm_head"):
        bias = f"{head}.bias"
        copy = f"{head}.decoder.bias"
        if bias in by_name and copy in by_name:
            copies.add(copy)
    return copies


def module_parts(tensors: Sequence[Tensor], copies: set[str]) -> list[Part]:
    """Sum the parameters of `tensors`, products of their shapes, by module.

    Layers of equal shape are one row, with ``*`` for their number. Buffers and copies have a row each with 0
    parameters, and say so.
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
    usual = {module: shapes for (module, shapes), _ in reversed(times.most_common())}
    for (module, shapes), number in times.items():
        size = 0 if module.endswith((" (buffer)", " (copy)")) else number * sum(math.prod(shape) for shape in shapes)
        term = " + ".join(" x ".join(map(str, shape)) or "1" for shape in shapes)
        if number > 1:
            term = f"{number} x ({term})" if len(shapes) > 1 else f"{number} x {term}"
        written = "; ".join(map(write_shape, shapes))
        name = module if usual[module] == shapes else f"{module} [{written}]"  # names are keys of tables: one per row
        parts.append(Part(name, written, term, size))
    return sorted(parts, key=lambda part: _place(part.component))


def _place(name: str) -> int:
    """Order modules as data flow: embeddings, layers, then the rest."""
    return 0 if "embed" in name else 1 if ".*" in name or name.startswith("*") else 2
