"""Where batches come from: each a pure function of (seed, epoch, index), so any step can be redone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from lingome.core.errors import DataError
from lingome.core.seeds import generator
from lingome.models.batching import collate
from lingome.tokens.tokenizer import Tokenizer


class BatchSource(Protocol):
    """What the loop asks of training data."""

    @property
    def batches_per_epoch(self) -> int:
        """Micro-batches in one pass; the same in every epoch."""
        ...

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Give micro-batch `index` of pass `epoch`; always the same for the same arguments."""
        ...


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
    max_tokens : int, optional
        Longest sequence, special tokens included; longer ones lose their end.

    Raises
    ------
    DataError
        If there are no sequences.
    """

    def __init__(
        self, ids: Sequence[np.ndarray], labels: np.ndarray, tokenizer: Tokenizer, *, seed: int,
        batch_tokens: int | None = None, batch_size: int | None = None, max_tokens: int | None = None,
    ) -> None:
        if len(ids) == 0:
            raise DataError("there are no sequences to train on")
        assert (batch_tokens is None) != (batch_size is None), "one of batch_tokens and batch_size"
        self.ids, self.labels, self.tokenizer, self.seed = ids, np.asarray(labels), tokenizer, seed
        self.max_tokens = max_tokens
        lengths = np.array([len(x) + 2 for x in ids])
        self.lengths = lengths if max_tokens is None else np.minimum(lengths, max_tokens)
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
        tokenizer = self.tokenizer
        input_ids, attention_mask = collate(
            [self.ids[i] for i in chosen], tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, self.max_tokens
        )
        return {
            "input_ids": input_ids, "attention_mask": attention_mask,
            "labels": self.labels[chosen], "index": chosen,
        }
