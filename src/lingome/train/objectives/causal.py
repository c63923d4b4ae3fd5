"""Causal language modelling: each token is guessed from those before it.

Shapes: B sequences of a batch, L tokens of each, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lingome.tokens.advice import causal_warning
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.objective import IGNORED, Batch, LossSum, to_device


@dataclass(frozen=True)
class CausalObjective:
    """Causal language modelling: each token is guessed from those before it.

    ``[CLS]`` stands before the first token and is never guessed; ``[SEP]``, the end, is guessed like any token.
    Padding and letters outside the alphabet ([UNK]) are neither guessed nor counted.

    Parameters
    ----------
    tokenizer : Tokenizer
        Says which id is the unknown one.
    """

    tokenizer: Tokenizer
    guesses: ClassVar[str] = "next tokens"
    question: ClassVar[str] = "How well can each token be guessed from those before it?"

    @property
    def identity(self) -> dict[str, str]:
        """What must be equal for a training to go on."""
        return {"objective": "causal"}

    @property
    def settings(self) -> dict[str, object]:
        """What a model card says of it."""
        return {"objective": "causal"}

    @property
    def advice(self) -> str | None:
        """Say what is wrong with byte pairs."""
        return causal_warning(self.tokenizer)

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Sum the cross-entropy (nats) over the batch's next tokens; nothing is random.

        `batch` has ``input_ids`` (B, L), ends included, and where there is padding, on either side, an
        ``attention_mask`` (B, L) that is false there. With ``weights`` (B, L), both the losses and their number
        are weighted.
        """
        guessed = next_tokens(np.asarray(batch["input_ids"]), batch.get("attention_mask"), self.tokenizer.unk_id)
        losses_BL = next_token_losses(model, guessed)
        if "weights" not in batch:
            return LossSum(losses_BL.sum(), int(guessed.counted.sum()))
        weights_BL = np.asarray(batch["weights"])[:, 1:] * guessed.counted
        return LossSum((losses_BL * to_device(weights_BL, losses_BL.device)).sum(), float(weights_BL.sum()))


class Shifted(NamedTuple):
    """A batch and, one place on, what is to be guessed: L is one less than that of the rows it came from.

    `input_ids` (B, L) int64; `attention_mask` (B, L) bool, or None without padding; `targets` (B, L) int64, the
    next token at each place; `counted` (B, L) bool, false where there is none to guess.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray | None
    targets: np.ndarray
    counted: np.ndarray


def next_tokens(input_ids: np.ndarray, attention_mask: Any, unk_id: int) -> Shifted:
    """Shift rows by one, so that each token stands where it is guessed.

    Parameters
    ----------
    input_ids : ndarray of int, shape (B, L + 1)
        Token ids, ends included.
    attention_mask : ndarray of bool, shape (B, L + 1), or None
        False on padding.
    unk_id : int
        Id of unknown letters, which are not guessed.

    Examples
    --------
    >>> shifted = next_tokens(np.array([[2, 5, 6, 3, 0]]), np.array([[1, 1, 1, 1, 0]], dtype=bool), unk_id=1)
    >>> shifted.input_ids.tolist(), shifted.targets.tolist(), shifted.counted.tolist()
    ([[2, 5, 6, 3]], [[5, 6, 3, 0]], [[True, True, True, False]])
    """
    ids = input_ids.astype(np.int64)
    targets = ids[:, 1:]
    counted = targets != unk_id
    if attention_mask is None:
        return Shifted(ids[:, :-1], None, targets, counted)
    mask = np.asarray(attention_mask, dtype=bool)
    return Shifted(ids[:, :-1], mask[:, :-1], targets, counted & mask[:, 1:] & mask[:, :-1])


def next_token_losses(model: nn.Module, guessed: Shifted) -> torch.Tensor:
    """Compute the cross-entropy (nats) of each next token, 0 where none is counted: (B, L), float32."""
    device = next(model.parameters()).device
    mask = guessed.attention_mask
    logits_BLV = model(to_device(guessed.input_ids, device), None if mask is None else to_device(mask, device))
    labels_BL = to_device(np.where(guessed.counted, guessed.targets, IGNORED), device)
    losses = functional.cross_entropy(
        logits_BLV.flatten(0, 1).float(), labels_BL.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return losses.view(labels_BL.shape)
