"""Masked language modelling: hidden tokens are guessed from those around them.

Shapes: B sequences of a batch, L tokens of each, T tokens of packed sequences, M masked tokens, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lingome.tokens.overlap import MASK_SHARE, overlap_warning, span_start_rate
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.objective import Batch, LossSum, to_device


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
    rng : Generator
        Draws everything.
    rate : float
        Share of tokens to choose, 0..1.
    ordinary_ids : ndarray of int, shape (O,)
        Ids that may be hidden and drawn; all others ([UNK] among them) are never touched.
    mask_id : int
        Id of [MASK].
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
    guesses: ClassVar[str] = "hidden tokens"
    question: ClassVar[str] = "How well can hidden tokens be guessed from those around them?"

    @property
    def identity(self) -> dict[str, str]:
        """What must be equal for a training to go on."""
        return {"mask_rate": str(self.rate) if self.span == 1 else f"{self.rate} in spans of {self.span}"}

    @property
    def settings(self) -> dict[str, object]:
        """What a model card says of it."""
        return {"mask_rate": self.rate, "mask_span": self.span}

    @property
    def advice(self) -> str | None:
        """Say what is wrong with spans shorter than the words that overlap."""
        return overlap_warning(self.tokenizer, self.rate, self.span)

    def hide(self, input_ids: np.ndarray, rng: np.random.Generator) -> Masked:
        """Mask a batch of ids.

        Parameters
        ----------
        input_ids : ndarray of int, shape (B, L)
            Token ids.
        rng : Generator
            Draws the masks.
        """
        ordinary = np.setdiff1d(np.arange(self.tokenizer.vocab_size), self.tokenizer.special_ids)
        return mask_tokens(
            input_ids, rng, rate=self.rate, ordinary_ids=ordinary, mask_id=self.tokenizer.mask_id, span=self.span
        )

    def draw(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Mask a batch before it is cut into pieces: ``masked`` and ``true_ids`` (B, L) come with it."""
        true_ids = np.asarray(batch["input_ids"]).astype(np.int64)
        hidden = self.hide(np.atleast_2d(true_ids), rng)
        ids, masked = (values.reshape(true_ids.shape) for values in (hidden.input_ids, hidden.masked))
        return {**batch, "input_ids": ids, "masked": masked, "true_ids": true_ids}

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Mask the batch, unless `draw` has, and sum the cross-entropy (nats) over its masked tokens.

        `batch` has ``input_ids`` (B, L), with an ``attention_mask`` where there is padding; or packed ones, (T,),
        with ``lengths`` (B,). With ``weights`` of the same shape, both the losses and their number are weighted.
        """
        drawn = batch if "true_ids" in batch else self.draw(batch, rng)
        hidden = Masked(drawn["input_ids"], drawn["masked"], drawn["true_ids"][drawn["masked"]])
        losses_M = masked_losses(model, hidden, batch.get("attention_mask"), batch.get("lengths"))
        if "weights" not in batch:
            return LossSum(losses_M.sum(), len(hidden.targets))
        weights_M = np.asarray(batch["weights"])[hidden.masked]
        return LossSum((losses_M * to_device(weights_M, losses_M.device)).sum(), float(weights_M.sum()))


def masked_losses(
    model: nn.Module, hidden: Masked, attention_mask: Any = None, lengths: Any = None
) -> torch.Tensor:
    """Compute the cross-entropy (nats) of each masked token: (M,), float32.

    Parameters
    ----------
    model : Module
        A masked language model.
    hidden : Masked
        The masked batch; with `lengths`, of packed sequences, shape (T,), none of which sees another.
    attention_mask : ndarray of bool, shape (B, L), optional
        False on padding.
    lengths : ndarray of int, shape (B,), optional
        Tokens of each packed sequence.
    """
    device = next(model.parameters()).device
    ids = torch.from_numpy(hidden.input_ids).to(device)
    masked = torch.from_numpy(hidden.masked).to(device)
    if lengths is not None:
        logits_MV = model(ids, masked_BL=masked, lengths_B=torch.as_tensor(lengths))
    else:
        logits_MV = model(ids, None if attention_mask is None else to_device(attention_mask, device), masked)
    return functional.cross_entropy(logits_MV.float(), torch.from_numpy(hidden.targets).to(device), reduction="none")
