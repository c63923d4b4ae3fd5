"""Measuring a language model on sequence that it does not learn from.

All give ``loss`` (nats per token), ``perplexity`` (its exponential) and ``bits_per_base``: the summed loss, in bits,
over the bases that its tokens stand for, so that vocabularies can be compared. Guessing each base without
knowing anything costs 2 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from lingome.core.seeds import generator
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.causal import CausalObjective, next_token_losses, next_tokens
from lingome.train.objectives.masked import MaskedObjective, masked_losses
from lingome.train.objectives.objective import LanguageObjective
from lingome.train.sources import add_ends


class Validation(Protocol):
    """What pre-training asks of a measure."""

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure a model that is in evaluation mode."""
        ...

    def unigram(self, counts: np.ndarray) -> dict[str, float]:
        """Measure what knowing only how common each token is would give.

        Parameters
        ----------
        counts : ndarray of int, shape (V,)
            Occurrences of each token in the training area; one is added to each.
        """
        ...


@runtime_checkable
class Measured(Protocol):
    """An objective that brings its own measure."""

    def validation(self, windows: np.ndarray, seed: int) -> Validation:
        """Give the measure on fixed windows.

        Parameters
        ----------
        windows : ndarray of int, shape (windows, length)
            Tokens without special ones.
        seed : int
            Decides what is drawn.
        """
        ...


class MaskedValidation:
    """Measure a masked language model on fixed windows under fixed masks, over the masked tokens.

    Parameters
    ----------
    windows : ndarray of int, shape (windows, length)
        Tokens without special ones.
    objective : MaskedObjective
        Says what is masked, and with what.
    seed : int
        Decides the masks, the same at every call.
    batch_tokens : int
        Tokens of a batch.
    repeat_share : ndarray of float, shape (windows, length), optional
        Share of each token's bases in repeats. Then tokens wholly outside are measured on their own too, as
        ``loss_outside_repeats`` and ``bits_per_base_outside_repeats``.
    """

    def __init__(
        self, windows: np.ndarray, objective: MaskedObjective, *, seed: int, batch_tokens: int = 8192,
        repeat_share: np.ndarray | None = None,
    ) -> None:
        rows = max(1, batch_tokens // (windows.shape[1] + 2))
        self.batches = [
            objective.hide(add_ends(windows[i : i + rows], objective.tokenizer), generator(seed, "validation", i))
            for i in range(0, len(windows), rows)
        ]
        self.tokens = sum(len(hidden.targets) for hidden in self.batches)
        self.lengths = [objective.tokenizer.token_lengths[hidden.targets] for hidden in self.batches]
        self.bases = sum(int(lengths.sum()) for lengths in self.lengths)
        self.outside = None
        if repeat_share is not None:
            free = np.pad(repeat_share == 0, ((0, 0), (1, 1)))
            self.outside = [free[i * rows : (i + 1) * rows][hidden.masked] for i, hidden in enumerate(self.batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure a model that is in evaluation mode."""
        with torch.no_grad():
            return self._summary([masked_losses(model, hidden).double().cpu().numpy() for hidden in self.batches])

    def unigram(self, counts: np.ndarray) -> dict[str, float]:
        """Measure what knowing only how common each token is would give.

        Parameters
        ----------
        counts : ndarray of int, shape (V,)
            Occurrences of each token in the training area; one is added to each.
        """
        log_share = np.log((counts + 1) / (counts + 1).sum())
        return self._summary([-log_share[hidden.targets] for hidden in self.batches])

    def _summary(self, losses: Sequence[np.ndarray]) -> dict[str, float]:
        """Give the measures of the losses (nats) of the masked tokens of each batch."""
        values = summary(float(sum(part.sum() for part in losses)), self.tokens, self.bases)
        if self.outside is not None:
            n = sum(int(free.sum()) for free in self.outside)
            bases = sum(int(part[free].sum()) for part, free in zip(self.lengths, self.outside, strict=True))
            nats = sum(float(part[free].sum()) for part, free in zip(losses, self.outside, strict=True))
            found = summary(nats, n, bases) if n else {"loss": math.nan, "bits_per_base": math.nan}
            values |= {f"{name}_outside_repeats": found[name] for name in ("loss", "bits_per_base")}
        return values


class CausalValidation:
    """Measure a causal language model on fixed windows, over all their tokens, by the chain rule.

    The first token is guessed from ``[CLS]`` alone. The end of a window is not guessed here: the genome goes
    on, and token frequencies know no ends. Bases are those of the windows, once each, also where words overlap.

    Parameters
    ----------
    windows : ndarray of int, shape (windows, length)
        Tokens without special ones.
    tokenizer : Tokenizer
        Their vocabulary.
    batch_tokens : int
        Tokens of a batch.
    """

    def __init__(self, windows: np.ndarray, tokenizer: Tokenizer, *, batch_tokens: int = 8192) -> None:
        rows = max(1, batch_tokens // (windows.shape[1] + 2))
        self.windows = windows
        self.unk_id = tokenizer.unk_id
        with_start = add_ends(windows, tokenizer)[:, :-1]
        self.batches = [with_start[i : i + rows] for i in range(0, len(windows), rows)]
        self.bases = tokenizer.covered_bp(windows.ravel(), len(windows))

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure a model that is in evaluation mode."""
        with torch.no_grad():
            parts = [next_token_losses(model, next_tokens(ids, None, self.unk_id)) for ids in self.batches]
        return summary(sum(float(part.double().sum()) for part in parts), self.windows.size, self.bases)

    def unigram(self, counts: np.ndarray) -> dict[str, float]:
        """Measure what knowing only how common each token is would give.

        Parameters
        ----------
        counts : ndarray of int, shape (V,)
            Occurrences of each token in the training area; one is added to each.
        """
        log_share = np.log((counts + 1) / (counts + 1).sum())
        return summary(-float(log_share[self.windows].sum()), self.windows.size, self.bases)


def build_validation(
    windows: np.ndarray, objective: LanguageObjective, *, seed: int, repeat_share: np.ndarray | None = None
) -> Validation:
    """Give the measure that belongs to an objective.

    Parameters
    ----------
    windows : ndarray of int, shape (windows, length)
        Tokens without special ones.
    objective : LanguageObjective
        What the model is trained for.
    seed : int
        Decides masks, where there are some.
    repeat_share : ndarray of float, shape (windows, length), optional
        Share of each token's bases in repeats; a masked model is then measured outside repeats on its own too.
    """
    if isinstance(objective, CausalObjective):
        return CausalValidation(windows, objective.tokenizer)
    if isinstance(objective, MaskedObjective):
        return MaskedValidation(windows, objective, seed=seed, repeat_share=repeat_share)
    assert isinstance(objective, Measured), "another objective brings its measure"
    return objective.validation(windows, seed)


def summary(nats: float, tokens: int, bases: int) -> dict[str, float]:
    """Give loss, perplexity and bits per base of a summed loss (nats)."""
    loss = nats / tokens
    return {"loss": loss, "perplexity": math.exp(min(loss, 700.0)), "bits_per_base": nats / math.log(2) / bases}
