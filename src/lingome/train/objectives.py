"""What a model is trained for: a loss summed over countable items.

An objective never averages. It gives the sum of its losses and the number of items summed, so
that the loop can add micro-batches up and divide once: accumulated steps equal big ones exactly.

Shapes: B sequences of a batch, L tokens of each, M masked tokens, V vocabulary, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lingome.tokens.overlap import MASK_SHARE, span_start_rate
from lingome.tokens.tokenizer import Tokenizer

Batch = Mapping[str, Any]


class LossSum(NamedTuple):
    """A summed loss (nats, with gradient) and the number, or weight, of the items summed."""

    total: torch.Tensor
    items: float


class Objective(Protocol):
    """What the loop asks of an objective."""

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Compute the loss of a batch; every random draw comes from `rng`."""
        ...


class Masked(NamedTuple):
    """A masked batch: ids with masks in, where something is to be predicted, and the true ids there."""

    input_ids: np.ndarray
    masked: np.ndarray
    targets: np.ndarray


def mask_tokens(
    input_ids: np.ndarray, rng: np.random.Generator, *, rate: float, ordinary_ids: np.ndarray, mask_id: int,
    shares: tuple[float, float] = (MASK_SHARE, 0.1), span: int = 1,
) -> Masked:
    """Choose tokens to predict, and hide most of them (Devlin et al. 2019, arXiv:1810.04805, 3.1).

    Each ordinary token is chosen with probability `rate`, alone or in spans of consecutive tokens. Of the
    spans, 80% become [MASK], 10% random ordinary tokens, and 10% stay. If chance chooses none, one span
    is chosen, so that every batch teaches something.

    Parameters
    ----------
    input_ids : ndarray of int, shape (B, L)
        Token ids.
    ordinary_ids : ndarray of int
        Ids that may be hidden and drawn; all others ([UNK] among them) are never touched.
    shares : (float, float)
        Of the spans, the share that becomes [MASK], and the share that becomes random.
    span : int
        Tokens of a span. Spans begin independently, also before the row, so that its first tokens are
        chosen as often as others; where two meet, the later one goes on.

    Returns
    -------
    Masked
        `input_ids` (B, L) int64, `masked` (B, L) bool, `targets` (M,) int64 in row order.

    Notes
    -----
    DNABERT (Ji et al. 2021, doi:10.1093/bioinformatics/btab083) chooses spans of k overlapping k-mers in
    the same way, but draws [MASK], random or kept for each token. A visible word in the middle of a span
    shows the base that the span was to hide; so here a span has one fate, as in SpanBERT (Joshi et al.
    2020, doi:10.1162/tacl_a_00300). With k = 6 this hides 2.5% of the bases instead of 0.9%.
    """
    ids = input_ids.astype(np.int64)
    is_ordinary = np.zeros(max(int(ids.max(initial=0)), int(ordinary_ids.max()), mask_id) + 1, dtype=bool)
    is_ordinary[ordinary_ids] = True
    can = is_ordinary[ids]
    begins = rng.random((len(ids), ids.shape[1] + span - 1)) < span_start_rate(rate, span)
    masked, of_span = _spread(begins, can, span)
    if not masked.any() and can.any():
        row, column = divmod(int(rng.choice(np.flatnonzero(can))), ids.shape[1])
        begins[row, column + span - 1] = True
        masked, of_span = _spread(begins, can, span)
    targets = ids[masked]
    fate = rng.random(len(targets))[of_span]
    random = ordinary_ids[rng.integers(0, len(ordinary_ids), len(targets))]
    drawn = (fate >= shares[0]) & (fate < shares[0] + shares[1])
    ids[masked] = np.where(fate < shares[0], mask_id, np.where(drawn, random, targets))
    return Masked(ids, masked, targets)


def _spread(begins: np.ndarray, can: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the tokens in a span, bool (B, L), and the number of its span for each of them, in row order.

    `begins` is bool (B, span - 1 + L): column `c` is token `c - span + 1`.
    """
    if span == 1:
        masked = can & begins
        return masked, np.arange(int(masked.sum()))
    columns = np.arange(begins.shape[1])
    latest = np.maximum.accumulate(np.where(begins, columns, -1), axis=1)[:, span - 1 :]
    masked = can & (latest >= columns[: latest.shape[1]])
    rows = np.arange(len(begins))[:, None] * begins.shape[1]
    return masked, np.unique((rows + latest)[masked], return_inverse=True)[1]


@dataclass(frozen=True)
class MaskedObjective:
    """Masked language modelling.

    Parameters
    ----------
    tokenizer : Tokenizer
        Says which ids are special, and which one hides.
    rate : float
        Share of tokens to predict. BERT's 0.15 is the default; GROVER's paper names 0.022.
    span : int
        Consecutive tokens chosen together; overlapping k-mers need at least k, or hidden words can be
        read off their neighbours.
    """

    tokenizer: Tokenizer
    rate: float = 0.15
    span: int = 1

    def hide(self, input_ids: np.ndarray, rng: np.random.Generator) -> Masked:
        """Mask a batch of ids (B, L)."""
        ordinary = np.setdiff1d(np.arange(self.tokenizer.vocab_size), self.tokenizer.special_ids)
        return mask_tokens(
            input_ids, rng, rate=self.rate, ordinary_ids=ordinary, mask_id=self.tokenizer.mask_id, span=self.span
        )

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Mask the batch and sum the cross-entropy (nats) over its masked tokens."""
        hidden = self.hide(np.asarray(batch["input_ids"]), rng)
        losses_M = masked_losses(model, hidden, batch.get("attention_mask"))
        return LossSum(losses_M.sum(), len(hidden.targets))


def masked_losses(model: nn.Module, hidden: Masked, attention_mask: Any = None) -> torch.Tensor:
    """Compute the cross-entropy (nats) of each masked token: (M,), float32."""
    device = next(model.parameters()).device
    logits_MV = model(
        torch.from_numpy(hidden.input_ids).to(device),
        None if attention_mask is None else _to(attention_mask, device),
        torch.from_numpy(hidden.masked).to(device),
    )
    return functional.cross_entropy(logits_MV.float(), torch.from_numpy(hidden.targets).to(device), reduction="none")


@dataclass(frozen=True)
class ClassificationObjective:
    """Cross-entropy over the classes of whole sequences.

    Parameters
    ----------
    class_weights : sequence of float, optional
        Weight of each class, in order. Items then count by their weight, so the mean stays one
        of weighted examples, as in ``torch.nn.CrossEntropyLoss``.
    """

    class_weights: Sequence[float] | None = None

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Sum the cross-entropy (nats) over the batch's examples; nothing is random."""
        device = next(model.parameters()).device
        logits_BC = model(_to(batch["input_ids"], device), _to(batch["attention_mask"], device)).float()
        labels_B = _to(batch["labels"], device).long()
        weights_C = None
        items = float(len(labels_B))
        if self.class_weights is not None:
            weights_C = torch.tensor(self.class_weights, dtype=torch.float32, device=device)
            items = float(weights_C[labels_B].sum())
        total = functional.cross_entropy(logits_BC, labels_B, weight=weights_C, reduction="sum")
        return LossSum(total, items)


def _to(values: Any, device: torch.device) -> torch.Tensor:
    tensor = values if isinstance(values, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(values))
    return (tensor.long() if tensor.dtype in (torch.uint16, torch.int32) else tensor).to(device)
