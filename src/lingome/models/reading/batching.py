"""From lists of ids to padded tensors, and batches of like lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lingome.core.errors import ConfigError, DataError
from lingome.tokens.frame import N_SPECIAL, frame_rows
from lingome.tokens.tokenizer import Tokenizer

BATCH_TOKENS = {"cpu": 2048, "cuda": 65_536, "mps": 16_384}
"""Tokens of a batch that is only read, by device: on a CPU their states stay in the cache."""


def pick_batch_tokens(batch_tokens: int | None, device: torch.device) -> int:
    """Give the tokens of a batch that is only read: as asked for, or what suits the device."""
    return BATCH_TOKENS[device.type] if batch_tokens is None else batch_tokens


class Batch(NamedTuple):
    """A batch of sequences: ids (B, L) int64, and a mask (B, L) bool, true at real tokens and special tokens."""

    input_ids: Tensor
    attention_mask: Tensor


def collate(
    sequences: Sequence[np.ndarray],
    tokenizer: Tokenizer,
    *,
    max_tokens: int,
    too_long: Literal["error", "truncate"] = "error",
) -> Batch:
    """Put ``[CLS]`` before and ``[SEP]`` after each sequence, and pad to the longest.

    Parameters
    ----------
    sequences : sequence of ndarray of int, shape (n,) each
        Token ids without special tokens.
    tokenizer : Tokenizer
        Its special ids are used.
    max_tokens : int
        Longest row, special tokens included.
    too_long : {"error", "truncate"}
        What to do with a longer sequence; truncation keeps its first ``max_tokens - 2`` tokens.

    Raises
    ------
    ConfigError
        If `max_tokens` leaves no room for a token.
    DataError
        If a sequence does not fit and `too_long` is ``error``, or there are no sequences.

    Examples
    --------
    >>> from lingome.tokens.characters import CharacterTokenizer
    >>> collate([np.array([5, 6]), np.array([7])], CharacterTokenizer(), max_tokens=8).input_ids.tolist()
    [[2, 5, 6, 3], [2, 7, 3, 0]]
    """
    if max_tokens < 3:
        raise ConfigError("a row needs room for [CLS], a token and [SEP]", where="max_tokens", got=max_tokens)
    if not len(sequences):
        raise DataError("there are no sequences to put in a batch")
    room = max_tokens - N_SPECIAL
    if too_long == "error":
        for index, ids in enumerate(sequences):
            if len(ids) > room:
                raise DataError(
                    "a sequence is too long for the model", where=f"sequence {index + 1} of {len(sequences)}",
                    got=f"{len(ids)} tokens", expected=f"at most {room} beside [CLS] and [SEP]",
                    hint="cut it into windows, or ask for truncation",
                )
    framed = frame_rows([ids[:room] for ids in sequences], tokenizer)
    return Batch(torch.from_numpy(framed.input_ids), torch.from_numpy(framed.real))


def length_batches(lengths: Sequence[int] | np.ndarray, batch_tokens: int) -> list[np.ndarray]:
    """Group sequences of like lengths, so that little is padding.

    Parameters
    ----------
    lengths : sequence of int, shape (N,)
        Tokens in each row, special ones included.
    batch_tokens : int
        Most tokens in a batch, padding included; a longer single row is a batch of its own.

    Raises
    ------
    ConfigError
        If a batch could hold no token.

    Returns
    -------
    list of ndarray of int64, shape (rows,) each
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
    lengths : sequence of int, shape (N,)
        Tokens of each sequence, special ones included.
    batch_tokens : int
        Most tokens in a batch; a longer single sequence is a batch of its own.

    Raises
    ------
    ConfigError
        If a batch could hold no token.

    Returns
    -------
    list of ndarray of int64, shape (rows,) each
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
