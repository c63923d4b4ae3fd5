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
    shares: tuple[float, float] = (0.8, 0.1),
) -> Masked:
    """Choose tokens to predict, and hide most of them (Devlin et al. 2019, arXiv:1810.04805, 3.1).

    Each ordinary token is chosen with probability `rate`. Of the chosen, 80% become [MASK], 10% a
    random ordinary token, and 10% stay. If chance chooses none, one is chosen, so that every batch
    teaches something.

    Parameters
    ----------
    input_ids : ndarray of int, shape (B, L)
        Token ids.
    ordinary_ids : ndarray of int
        Ids that may be hidden and drawn; all others ([UNK] among them) are never touched.
    shares : (float, float)
        Of the chosen, the share that becomes [MASK], and the share that becomes random.

    Returns
    -------
    Masked
        `input_ids` (B, L) int64, `masked` (B, L) bool, `targets` (M,) int64 in row order.
    """
    ids = input_ids.astype(np.int64)
    is_ordinary = np.zeros(max(int(ids.max(initial=0)), int(ordinary_ids.max()), mask_id) + 1, dtype=bool)
    is_ordinary[ordinary_ids] = True
    can = is_ordinary[ids]
    masked = can & (rng.random(ids.shape) < rate)
    if not masked.any() and can.any():
        masked.flat[rng.choice(np.flatnonzero(can))] = True
    targets = ids[masked]
    fate = rng.random(len(targets))
    random = ordinary_ids[rng.integers(0, len(ordinary_ids), len(targets))]
    drawn = (fate >= shares[0]) & (fate < shares[0] + shares[1])
    ids[masked] = np.where(fate < shares[0], mask_id, np.where(drawn, random, targets))
    return Masked(ids, masked, targets)


@dataclass(frozen=True)
class MaskedObjective:
    """Masked language modelling.

    Parameters
    ----------
    tokenizer : Tokenizer
        Says which ids are special, and which one hides.
    rate : float
        Share of tokens to predict. BERT's 0.15 is the default; GROVER's paper names 0.022.
    """

    tokenizer: Tokenizer
    rate: float = 0.15

    def hide(self, input_ids: np.ndarray, rng: np.random.Generator) -> Masked:
        """Mask a batch of ids (B, L)."""
        ordinary = np.setdiff1d(np.arange(self.tokenizer.vocab_size), self.tokenizer.special_ids)
        return mask_tokens(input_ids, rng, rate=self.rate, ordinary_ids=ordinary, mask_id=self.tokenizer.mask_id)

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
