"""From lists of ids to padded tensors, and batches of like lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lingome.core.errors import ConfigError, DataError


def collate(
    sequences: Sequence[np.ndarray],
    *,
    pad_id: int,
    cls_id: int,
    sep_id: int,
    max_tokens: int,
    too_long: Literal["error", "truncate"] = "error",
) -> tuple[Tensor, Tensor]:
    """Put ``[CLS]`` before and ``[SEP]`` after each sequence, and pad to the longest.

    Parameters
    ----------
    sequences : sequence of ndarray, (n,) int
        Token ids without special tokens.
    pad_id, cls_id, sep_id : int
        The tokenizer's special ids.
    max_tokens : int
        Longest row, special tokens included.
    too_long : {"error", "truncate"}
        What to do with a longer sequence; truncation keeps its first ``max_tokens - 2`` tokens.

    Returns
    -------
    input_ids : Tensor, (B, L) int64
    attention_mask : Tensor, (B, L) bool
        True at real tokens, ``[CLS]`` and ``[SEP]`` included.

    Raises
    ------
    DataError
        If a sequence does not fit and `too_long` is ``error``, or there are no sequences.

    >>> collate([np.array([5, 6]), np.array([7])], pad_id=0, cls_id=2, sep_id=3, max_tokens=8)[0].tolist()
    [[2, 5, 6, 3], [2, 7, 3, 0]]
    """
    if max_tokens < 3:
        raise ConfigError("a row needs room for [CLS], a token and [SEP]", where="max_tokens", got=max_tokens)
    if not len(sequences):
        raise DataError("there are no sequences to put in a batch")
    room = max_tokens - 2
    lengths = [min(len(ids), room) for ids in sequences]
    if too_long == "error":
        for index, ids in enumerate(sequences):
            if len(ids) > room:
                raise DataError(
                    "a sequence is too long for the model", where=f"sequence {index + 1} of {len(sequences)}",
                    got=f"{len(ids)} tokens", expected=f"at most {room} beside [CLS] and [SEP]",
                    hint="cut it into windows, or ask for truncation",
                )
    input_ids = np.full((len(sequences), max(lengths) + 2), pad_id, dtype=np.int64)
    input_ids[:, 0] = cls_id
    for row, (ids, n) in enumerate(zip(sequences, lengths, strict=True)):
        input_ids[row, 1 : n + 1] = ids[:n]
        input_ids[row, n + 1] = sep_id
    attention_mask = np.arange(input_ids.shape[1])[None, :] < np.array(lengths)[:, None] + 2
    return torch.from_numpy(input_ids), torch.from_numpy(attention_mask)


def length_batches(lengths: Sequence[int] | np.ndarray, batch_tokens: int) -> list[np.ndarray]:
    """Group sequences of like lengths, so that little is padding.

    Parameters
    ----------
    lengths : sequence of int
        Tokens in each row, special ones included.
    batch_tokens : int
        Most tokens in a batch, padding included; a longer single row is a batch of its own.

    Returns
    -------
    list of ndarray, int64
        Indices into `lengths`, longest first (so that running out of memory shows at once); each
        index once. The caller puts results back in order.

    >>> [batch.tolist() for batch in length_batches([3, 9, 4, 8], batch_tokens=18)]
    [[1, 3], [2, 0]]
    """
    if batch_tokens < 1:
        raise ConfigError("a batch holds at least one token", where="batch_tokens", got=batch_tokens)
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        rows = max(1, batch_tokens // max(1, int(sizes[order[start]])))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def token_batches(lengths: Sequence[int] | np.ndarray, batch_tokens: int) -> list[np.ndarray]:
    """Group sequences for packed batches, which have no padding.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each sequence, special ones included.
    batch_tokens : int
        Most tokens in a batch; a longer single sequence is a batch of its own.

    Returns
    -------
    list of ndarray, int64
        Indices into `lengths`, longest first; each index once. The caller puts results back in order.

    >>> [batch.tolist() for batch in token_batches([3, 9, 4, 8], batch_tokens=13)]
    [[1], [3, 2], [0]]
    """
    if batch_tokens < 1:
        raise ConfigError("a batch holds at least one token", where="batch_tokens", got=batch_tokens)
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    batches = []
    start = 0
    held = 0
    for place, size in enumerate(sizes[order].tolist()):
        if held and held + size > batch_tokens:
            batches.append(order[start:place])
            start = place
            held = 0
        held += size
    return [*batches, order[start:]] if len(order) else []


def frame(sequences: Sequence[np.ndarray], cls_id: int, sep_id: int) -> np.ndarray:
    """Put ``[CLS]`` before and ``[SEP]`` after each sequence, one after the other: (T,) int64.

    >>> frame([np.array([5, 6]), np.array([7])], cls_id=2, sep_id=3).tolist()
    [2, 5, 6, 3, 2, 7, 3]
    """
    parts = [part for ids in sequences for part in ((cls_id,), ids, (sep_id,))]
    return np.concatenate(parts).astype(np.int64)
