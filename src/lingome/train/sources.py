"""Where batches come from: each a pure function of (seed, epoch, index), so any step can be redone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from lingome.core.errors import DataError
from lingome.core.seeds import generator
from lingome.models.reading.batching import collate
from lingome.tokens.frame import frame_rows
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import TokenWindows


class BatchSource(Protocol):
    """What the loop asks of training data."""

    @property
    def batches_per_epoch(self) -> int:
        """Micro-batches in one pass; the same in every epoch."""
        ...

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Give micro-batch `index` of pass `epoch`; always the same for the same arguments."""
        ...


class WindowSource:
    """Windows of a genome, each as ``[CLS] tokens [SEP]``; one length per batch, so nothing is padding.

    Parameters
    ----------
    windows : TokenWindows
        Draws the tokens.
    tokenizer : Tokenizer
        Gives the ids of [CLS] and [SEP].
    weights : ndarray of float, shape (n,), optional
        What the loss of each of all tokens counts; those of a batch come with it, 1 for the ends.
    """

    def __init__(self, windows: TokenWindows, tokenizer: Tokenizer, weights: np.ndarray | None = None) -> None:
        self.windows = windows
        self.tokenizer = tokenizer
        self.weights = weights

    @property
    def batches_per_epoch(self) -> int:
        """Micro-batches that together hold about as many tokens as the sequence."""
        return self.windows.steps_per_epoch

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Give ``input_ids`` (B, L) int64, and ``weights`` (B, L) float32 if there are some."""
        starts, length = self.windows.draw(epoch, index)
        batch = {"input_ids": add_ends(self.windows.rows(starts, length), self.tokenizer)}
        if self.weights is not None:
            weights = np.ones(batch["input_ids"].shape, dtype=np.float32)
            weights[:, 1:-1] = self.weights[starts[:, None] + np.arange(length)]
            batch["weights"] = weights
        return batch


class PackedWindowSource(WindowSource):
    """Windows of many lengths one after the other, each as ``[CLS] tokens [SEP]``, without padding."""

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Give ``input_ids`` (T,) int64, ``lengths`` (B,) int64, and ``weights`` (T,) float32 if there are some."""
        drawn = self.windows.draw_mixed(epoch, index, extra=2)
        lengths = np.array([length + 2 for _, length in drawn])
        ids = [add_ends(self.windows.rows(np.array([start]), length), self.tokenizer)[0] for start, length in drawn]
        batch = {"input_ids": np.concatenate(ids), "lengths": lengths}
        if self.weights is not None:
            parts = [np.pad(self.weights[start : start + length], 1, constant_values=1) for start, length in drawn]
            batch["weights"] = np.concatenate(parts).astype(np.float32)
        return batch


def add_ends(windows: np.ndarray, tokenizer: Tokenizer) -> np.ndarray:
    """Put [CLS] before and [SEP] after each row.

    Parameters
    ----------
    windows : ndarray of int, shape (B, L)
        Tokens without special ones.
    tokenizer : Tokenizer
        Gives the ids of both.

    Returns
    -------
    ndarray of int64, shape (B, L + 2)
        Rows as a model reads them.
    """
    return frame_rows(windows, tokenizer).input_ids


class ExamplesSource:
    """Encoded sequences with labels, in shuffled batches of similar length.

    Sequences are grouped by length (groups grow by a ninth), so that little is padding; the groups
    and the number of batches are fixed, while who meets whom and in which order changes with the
    epoch.

    Parameters
    ----------
    ids : sequence of int arrays
        Token ids of each sequence, without special tokens.
    labels : ndarray of int, shape (N,)
        Classes.
    tokenizer : Tokenizer
        Gives the ids of [CLS], [SEP] and [PAD].
    batch_tokens : int, optional
        Tokens of a batch at most, padding included. Exactly one of this and `batch_size`.
    batch_size : int, optional
        Sequences of a batch at most.
    max_tokens : int
        Longest row that the model takes, special tokens included; longer sequences lose their end.

    Raises
    ------
    DataError
        If there are no sequences.
    """

    def __init__(
        self, ids: Sequence[np.ndarray], labels: np.ndarray, tokenizer: Tokenizer, *, seed: int, max_tokens: int,
        batch_tokens: int | None = None, batch_size: int | None = None,
    ) -> None:
        if len(ids) == 0:
            raise DataError("there are no sequences to train on")
        assert (batch_tokens is None) != (batch_size is None), "one of batch_tokens and batch_size"
        self.ids = ids
        self.labels = np.asarray(labels)
        self.tokenizer = tokenizer
        self.seed = seed
        self.max_tokens = max_tokens
        self.lengths = np.minimum([len(x) + 2 for x in ids], max_tokens)
        level = np.ceil(np.log(self.lengths) / math.log(10 / 9)).astype(int)
        self._groups: list[tuple[np.ndarray, int]] = []
        for value in np.unique(level):
            members = np.flatnonzero(level == value)
            longest = int(self.lengths[members].max())
            size = batch_size if batch_size is not None else max(1, int(batch_tokens or 0) // longest)
            self._groups.append((members, math.ceil(len(members) / size)))
        self._order = lru_cache(maxsize=2)(self._make_order)

    @property
    def batches_per_epoch(self) -> int:
        """Micro-batches in one pass."""
        return sum(n for _, n in self._groups)

    def _make_order(self, epoch: int) -> list[np.ndarray]:
        rng = generator(self.seed, "examples", epoch)
        batches = [part for members, n in self._groups for part in np.array_split(rng.permutation(members), n)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Give ``input_ids`` and ``attention_mask`` (B, L), ``labels`` (B,) and ``index`` (B,) into the examples."""
        chosen = self._order(epoch)[index]
        batch = collate(
            [self.ids[i] for i in chosen], self.tokenizer, max_tokens=self.max_tokens, too_long="truncate"
        )
        return {**batch._asdict(), "labels": self.labels[chosen], "index": chosen}
