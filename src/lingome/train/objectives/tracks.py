"""Learning tracks of signal: Poisson loss of binned counts, with shifted and turned sequence.

Kelley et al. 2018, doi:10.1101/gr.227819.117 (loss and augmentation); Avsec et al. 2021,
doi:10.1038/s41592-021-01252-x. Shapes: B sequences of a batch, L bases of each, n bins that are predicted, T tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lingome.core.errors import ConfigError, DataError
from lingome.models.heads.reverse_complement import Complement, check_pairs, flip_bins
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.objective import Batch, LossSum

EPS = 1e-7
"""Added to a rate before its logarithm, as in the released programs: a rate of 0 then costs a count 16.1 nats."""


def poisson_losses(rate: Tensor, counts: Tensor) -> Tensor:
    """Compute the negative log-likelihood of counts, without the part that no model can change.

    ``rate - y log(rate + 1e-7)`` for a count y, in nats. The whole of it is that plus log(y!), here
    `poisson_constant`; without it a loss can be negative, and losses of different data cannot be compared. It is
    least at rate = y, also for y that are not whole numbers.

    Parameters
    ----------
    rate : Tensor, any shape, float
        What is expected, at least 0.
    counts : Tensor of the same shape
        What was measured, at least 0.

    Returns
    -------
    Tensor of the same shape, float32

    Examples
    --------
    >>> round(poisson_losses(torch.tensor([2.0]), torch.tensor([3.0])).item(), 4)  # 2 - 3 ln 2
    -0.0794
    """
    rate = rate.float()
    return rate - counts.float() * torch.log(rate + EPS)


def poisson_constant(counts: Tensor) -> Tensor:
    """Compute log(y!), by the gamma function for y that are not whole: what `poisson_losses` leaves out, nats.

    Parameters
    ----------
    counts : Tensor, shape (...)
        Of any shape, which the result has too.
    """
    return torch.lgamma(counts.float() + 1)


@dataclass(frozen=True)
class Augmentation:
    """Changes of a sequence that leave its signal, or turn it round.

    Parameters
    ----------
    max_shift_bp : int
        A sequence is moved by up to so many bases to either side, N coming in; its signal stays. Every
        shift is as likely.
    turned_share : float
        Share of sequences that are read from the other strand, with the signal turned round.
    opposite_tracks : sequence of int, optional
        The track of the other strand for each track, for signal that has a strand; each is itself unless given.

    Raises
    ------
    ConfigError
        If a value is out of range, or `opposite_tracks` does not pair tracks.
    """

    max_shift_bp: int = 3
    turned_share: float = 0.5
    opposite_tracks: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.max_shift_bp < 0:
            raise ConfigError("a shift has a size", where="max_shift_bp", got=self.max_shift_bp, expected="0 or more")
        if not 0 <= self.turned_share <= 1:
            raise ConfigError("a share is a part of 1", where="turned_share", got=self.turned_share, expected="0 to 1")
        if self.opposite_tracks is not None:
            check_pairs(self.opposite_tracks)

    def apply(
        self, input_ids: np.ndarray, targets: np.ndarray, rng: np.random.Generator, tokenizer: Tokenizer
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shift and turn each sequence by its own draw.

        Parameters
        ----------
        input_ids : ndarray of int, (B, L)
            One token per base.
        targets : ndarray of float, (B, n, T)
            Signal of the bins.
        rng : Generator
            What draws come from.
        tokenizer : Tokenizer
            Says which letters stand opposite each other, and which one is unknown.

        Returns
        -------
        tuple of ndarray
            Both, changed, in new arrays.
        """
        ids = input_ids.astype(np.int64)
        targets = targets.copy()
        shifts = rng.integers(-self.max_shift_bp, self.max_shift_bp + 1, len(ids))
        turned = rng.random(len(ids)) < self.turned_share
        places = np.arange(ids.shape[1]) + shifts[:, None]
        inside = (places >= 0) & (places < ids.shape[1])
        moved = np.take_along_axis(ids, places.clip(0, ids.shape[1] - 1), axis=1)
        ids = np.where(inside, moved, tokenizer.unk_id)
        opposite = Complement.of(tokenizer).ids.numpy()
        ids[turned] = opposite[ids[turned][:, ::-1]]
        targets[turned] = flip_bins(torch.from_numpy(targets[turned]), self.opposite_tracks).numpy()
        return ids, targets


@dataclass(frozen=True)
class TracksObjective:
    """Poisson regression of binned signal.

    Parameters
    ----------
    tokenizer : Tokenizer
        One base per token.
    augmentation : Augmentation
        How sequences are changed; ``Augmentation(0, 0.0)`` leaves them, as a measurement needs.
    """

    tokenizer: Tokenizer
    augmentation: Augmentation = Augmentation()
    guesses: ClassVar[str] = "signal of bins"
    question: ClassVar[str] = "How well can the signal of each bin be told from the sequence around it?"

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Sum `poisson_losses` over bins and tracks; the items are their number.

        `batch` has ``input_ids`` (B, L), bases alone, and ``targets`` (B, n, T), at least 0; NaN where nothing was
        measured, which is neither learnt nor counted.

        Raises
        ------
        DataError
            If the targets are not of the model's bins and tracks, or below 0.
        """
        targets_BnT = np.asarray(batch["targets"])
        if targets_BnT.ndim != 3 or bool((targets_BnT < 0).any()):
            raise DataError("targets do not fit", got=f"shape {targets_BnT.shape}, least {np.nanmin(targets_BnT)}",
                            expected="sequences, bins and tracks of values that are at least 0")
        ids_BL, targets_BnT = self.augmentation.apply(
            np.asarray(batch["input_ids"]), targets_BnT, rng, self.tokenizer
        )
        device = next(model.parameters()).device
        rate_BnT = model(torch.from_numpy(ids_BL).to(device))
        counts_BnT = torch.from_numpy(targets_BnT).to(device)
        if rate_BnT.shape != counts_BnT.shape:
            raise DataError("targets are not of the model's bins and tracks", got=tuple(counts_BnT.shape),
                            expected=tuple(rate_BnT.shape), hint="crop_bins are cut off each end")
        measured = ~counts_BnT.isnan()
        return LossSum(poisson_losses(rate_BnT[measured], counts_BnT[measured]).sum(), int(measured.sum()))
