"""Put ``[CLS]`` before and ``[SEP]`` after sequences of tokens: the frame in which a model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lingome.tokens.tokenizer import Tokenizer

N_SPECIAL = 2
"""Tokens that stand around a sequence: [CLS] and [SEP]."""


class Framed(NamedTuple):
    """Rows of a batch, padded on the right.

    Parameters
    ----------
    input_ids : ndarray of int64, shape (B, L)
        Ids with special tokens.
    real : ndarray of bool, shape (B, L)
        True at tokens and special tokens, false at padding.
    """

    input_ids: np.ndarray
    real: np.ndarray


def frame_rows(rows: Sequence[np.ndarray] | np.ndarray, tokenizer: Tokenizer, *, end: bool = True) -> Framed:
    """Put special tokens around each row, and pad to the longest.

    Parameters
    ----------
    rows : sequence of ndarray of int, shape (n,) each
        B rows of token ids without special tokens, or a matrix of rows of one length.
    tokenizer : Tokenizer
        Its special ids are used.
    end : bool
        Whether ``[SEP]`` closes a row; what a causal model goes on writing is open.

    Examples
    --------
    >>> from lingome.tokens.characters import CharacterTokenizer
    >>> frame_rows([np.array([5, 6]), np.array([7])], CharacterTokenizer()).input_ids.tolist()
    [[2, 5, 6, 3], [2, 7, 3, 0]]
    """
    lengths = np.array([len(row) for row in rows], dtype=np.int64) + (2 if end else 1)
    input_ids = np.full((len(lengths), int(lengths.max(initial=0))), tokenizer.pad_id, dtype=np.int64)
    input_ids[:, :1] = tokenizer.cls_id
    for index, row in enumerate(rows):
        input_ids[index, 1 : len(row) + 1] = row
        if end:
            input_ids[index, len(row) + 1] = tokenizer.sep_id
    return Framed(input_ids, np.arange(input_ids.shape[1]) < lengths[:, None])


def frame_packed(rows: Sequence[np.ndarray], tokenizer: Tokenizer) -> np.ndarray:
    """Put special tokens around each row, and the rows one after the other: int64, shape (T,).

    >>> from lingome.tokens.characters import CharacterTokenizer
    >>> frame_packed([np.array([5, 6]), np.array([7])], CharacterTokenizer()).tolist()
    [2, 5, 6, 3, 2, 7, 3]
    """
    first = (tokenizer.cls_id,)
    last = (tokenizer.sep_id,)
    return np.concatenate([part for ids in rows for part in (first, ids, last)]).astype(np.int64)
