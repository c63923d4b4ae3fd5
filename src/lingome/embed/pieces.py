"""Cut sequences into tokens that fit a model's context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lingome.config.embed import LongPolicy
from lingome.core.errors import DataError
from lingome.tokens.tokenizer import Tokenizer

N_SPECIAL = 2
"""Tokens that stand around a sequence: [CLS] and [SEP]."""


class Pieces(NamedTuple):
    """Sequences cut to fit a model's context.

    Parameters
    ----------
    ids : list of ndarray of int
        Token ids of each piece, without special tokens.
    owner : ndarray of int64, shape (P,)
        The sequence each piece is of; those of a sequence stand in order, side by side.
    n_long : int
        Sequences that did not fit as they were.
    n_unknown : int
        Tokens that stand for letters the vocabulary does not know.
    borders : list of ndarray of int64, (n + 1,)
        Token `i` of a piece owns bases ``borders[i]`` to ``borders[i + 1] - 1`` of its sequence.
    """

    ids: list[np.ndarray]
    owner: np.ndarray
    n_long: int
    n_unknown: int
    borders: list[np.ndarray]


def cut_to_fit(
    tokenizer: Tokenizer, sequences: Sequence[str], max_positions: int, too_long: LongPolicy = "error"
) -> Pieces:
    """Encode sequences, and cut those beyond the context as the policy says.

    Raises
    ------
    DataError
        If a sequence is empty, or too long under ``error``.
    """
    room = max_positions - N_SPECIAL
    ids: list[np.ndarray] = []
    borders: list[np.ndarray] = []
    owner: list[int] = []
    n_long = 0
    for index, encoding in enumerate(tokenizer.encode_batch(sequences)):
        one = encoding.input_ids
        if not len(one):
            raise DataError("a sequence is empty", where=f"sequence {index + 1}")
        starts = [0]
        if len(one) > room:
            n_long += 1
            if too_long == "error":
                raise DataError(
                    "a sequence is longer than the model can read", where=f"sequence {index + 1}",
                    got=f"{len(one):,} tokens ({len(sequences[index]):,} letters)", expected=f"at most {room} tokens",
                    hint="set too_long=window to go by windows, or too_long=truncate",
                )
            if too_long == "truncate":
                one = one[:room]
            else:  # pieces of almost equal length, the longer ones first
                starts = [int(part[0]) for part in np.array_split(np.arange(len(one)), -(-len(one) // room))]
        for start, end in zip(starts, [*starts[1:], len(one)], strict=True):
            ids.append(one[start:end])
            borders.append(encoding.offsets[start : end + 1])
        owner.extend([index] * len(starts))
    n_unknown = sum(int((one == tokenizer.unk_id).sum()) for one in ids)
    return Pieces(ids, np.array(owner, dtype=np.int64), n_long, n_unknown, borders)
