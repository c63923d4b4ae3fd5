"""When memory runs out: the same micro-batch in smaller pieces."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from lingome.core.errors import ConfigError

_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "failed to allocate")


@runtime_checkable
class Draws(Protocol):
    """An objective that can make its random draws first, so that pieces of a batch keep the draws of the whole."""

    def draw(self, batch: Mapping[str, Any], rng: np.random.Generator) -> Mapping[str, Any]:
        """Give the batch with everything drawn that its loss needs; rows belong together as before."""
        ...


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory ran out: on a GPU, in torch's CPU allocator, or in Python."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def count_rows(batch: Mapping[str, Any]) -> int:
    """Count the sequences of a batch: those packed, rows of its ids, or of its first array; 1 if it cannot be cut."""
    if _is_packed(batch):
        return len(batch["lengths"])
    arrays = [value for value in batch.values() if getattr(value, "ndim", 0) > 0]
    first = batch.get("input_ids", arrays[0] if arrays else None)
    if first is None or ("input_ids" in batch and first.ndim < 2):
        return 1
    return int(first.shape[0])


def cut_rows(batch: Mapping[str, Any], parts: int) -> list[dict[str, Any]]:
    """Cut a batch into at most so many pieces of whole rows, or packed sequences; what has none goes into each.

    >>> [piece["x"].tolist() for piece in cut_rows({"x": np.arange(5), "name": "a"}, 2)]
    [[0, 1, 2], [3, 4]]
    """
    n_rows = count_rows(batch)
    if parts == 1 or n_rows == 1:
        return [dict(batch)]
    edges = -(-np.arange(min(parts, n_rows) + 1) * n_rows // min(parts, n_rows))
    if _is_packed(batch):
        n_tokens = len(batch["input_ids"])
        ends = np.append(0, np.cumsum(batch["lengths"]))
        return [
            {name: value[a:b] if name == "lengths" else value[ends[a] : ends[b]]
             if getattr(value, "ndim", 0) and value.shape[0] == n_tokens else value
             for name, value in batch.items()}
            for a, b in itertools.pairwise(edges)
        ]
    return [
        {name: value[a:b] if getattr(value, "ndim", 0) and value.shape[0] == n_rows else value
         for name, value in batch.items()}
        for a, b in itertools.pairwise(edges)
    ]


def _is_packed(batch: Mapping[str, Any]) -> bool:
    """Say whether ids are those of sequences one after the other, (T,), with ``lengths`` (B,)."""
    return "lengths" in batch and getattr(batch.get("input_ids"), "ndim", 0) == 1


def too_large(error: BaseException, group: str, *, alone: bool) -> ConfigError:
    """Say that memory ran out and that smaller pieces will not help; the settings are those of a group."""
    what = "memory ran out with one sequence at a time" if alone else "memory ran out in a shared step"
    hint = f"a smaller model, shorter sequences, or {group}.precision=bf16"
    if group == "train":
        hint = ("a smaller preset, shorter sequences (max_tokens), or train.precision=bf16; several processes can "
                "share the weights (torchrun, train.parallel=fsdp)")
    if not alone:
        hint = f"half of {group}.batch_tokens with twice {group}.accumulate: a step keeps its tokens"
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return ConfigError(what, where=f"{group}.batch_tokens", got=said, hint=hint)
