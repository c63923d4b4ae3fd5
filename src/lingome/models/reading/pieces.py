"""Cut sequences into tokens that fit a model's context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lingome.config.embed import LongPolicy
from lingome.core.errors import DataError
from lingome.tokens.frame import N_SPECIAL
from lingome.tokens.tokenizer import Tokenizer

LONG_HINT = "set too_long=window to go by windows, or too_long=truncate"
CUT_HINT = "shorten them, or cut their ends with too_long=truncate"
"""What to try where a long sequence may be cut, but not read in windows."""


class Pieces(NamedTuple):
    """Sequences cut to fit a model's context.

    Parameters
    ----------
    ids : list of ndarray of int, shape (n,) each
        Token ids of each piece, without special tokens.
    owner : ndarray of int64, shape (P,)
        The sequence each piece is of; those of a sequence stand in order, side by side.
    n_long : int
        Sequences that did not fit as they were.
    n_unknown : int
        Tokens that stand for letters the vocabulary does not know.
    borders : list of ndarray of int64, shape (n + 1,) each
        Token `i` of a piece owns bases ``borders[i]`` to ``borders[i + 1] - 1`` of its sequence.
    """

    ids: list[np.ndarray]
    owner: np.ndarray
    n_long: int
    n_unknown: int
    borders: list[np.ndarray]

    def warnings(self) -> list[str]:
        """Say what was cut off or not known, in sentences; empty if nothing was."""
        said = []
        if self.n_long:
            n_sequences = int(self.owner[-1]) + 1
            said.append(f"{self.n_long:,} of {n_sequences:,} sequences were cut to the model's context")
        if self.n_unknown:
            said.append(f"{self.n_unknown:,} letters are not in the vocabulary (N and the like) and were read as [UNK]")
        return said


def cut_to_fit(
    tokenizer: Tokenizer, sequences: Sequence[str], max_positions: int, too_long: LongPolicy = "error",
    *, hint: str = LONG_HINT,
) -> Pieces:
    """Encode sequences, and cut those beyond the context as the policy says.

    Parameters
    ----------
    tokenizer : Tokenizer
        The model's own.
    sequences : sequence of str
        None of them empty.
    max_positions : int
        Tokens that the model reads at most, ``[CLS]`` and ``[SEP]`` included.
    too_long : {"error", "truncate", "window"}
        Refuse longer ones; keep their beginning; or cut them into pieces of almost equal length.
    hint : str
        What a message tells to try, by the names of the caller's settings.

    Raises
    ------
    DataError
        If a sequence is empty, or too long under ``error``.
    """
    room = max_positions - N_SPECIAL
    encodings = tokenizer.encode_batch(sequences)
    lengths = np.array([len(encoding.input_ids) for encoding in encodings], dtype=np.int64)
    if len(lengths) and not lengths.all():
        raise DataError("a sequence is empty", where=f"sequence {int(lengths.argmin()) + 1}")
    long = np.flatnonzero(lengths > room)
    if len(long) and too_long == "error":
        first = int(long[0])
        raise DataError(
            f"{len(long):,} of {len(lengths):,} sequences are longer than the model can read",
            where=f"sequence {first + 1}", got=f"{lengths[first]:,} tokens ({len(sequences[first]):,} letters)",
            expected=f"at most {room} tokens", hint=hint,
        )
    ids: list[np.ndarray] = []
    borders: list[np.ndarray] = []
    owner: list[int] = []
    for index, encoding in enumerate(encodings):
        for start, end in _cut(int(lengths[index]), room, too_long):
            ids.append(encoding.input_ids[start:end])
            borders.append(encoding.offsets[start : end + 1])
            owner.append(index)
    n_unknown = sum(int((one == tokenizer.unk_id).sum()) for one in ids)
    return Pieces(ids, np.array(owner, dtype=np.int64), len(long), n_unknown, borders)


def _cut(length: int, room: int, too_long: LongPolicy) -> list[tuple[int, int]]:
    """Give the start and end of each piece: pieces of almost equal length, the longer ones first."""
    if length <= room:
        return [(0, length)]
    if too_long == "truncate":
        return [(0, room)]
    starts = [int(part[0]) for part in np.array_split(np.arange(length), -(-length // room))]
    return list(zip(starts, [*starts[1:], length], strict=True))
