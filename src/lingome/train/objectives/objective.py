"""What a model is trained for: a loss summed over countable items.

An objective never averages. It gives the sum of its losses and the number of items summed, so
that the loop can add micro-batches up and divide once: accumulated steps equal big ones exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from lingome.tokens.tokenizer import Tokenizer

Batch = Mapping[str, Any]

IGNORED = -100
"""Label of a place that has nothing to guess."""


class LossSum(NamedTuple):
    """A summed loss (nats, with gradient) and the number, or weight, of the items summed."""

    total: torch.Tensor
    items: float


class Objective(Protocol):
    """What the loop asks of an objective."""

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Compute the loss of a batch; every random draw comes from `rng`."""
        ...


class LanguageObjective(Objective, Protocol):
    """What pre-training asks of an objective, beside its loss; see `lingome.train.pretraining.start.OBJECTIVES`."""

    guesses: ClassVar[str]
    """What is guessed, in a few words that stand behind 'guessing'."""
    question: ClassVar[str]
    """What a run with it answers."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The vocabulary it is for."""
        ...

    @property
    def identity(self) -> dict[str, str]:
        """What must be equal for a training to go on."""
        ...

    @property
    def settings(self) -> dict[str, object]:
        """What a model card says of it."""
        ...

    @property
    def advice(self) -> str | None:
        """Why it and its vocabulary do not suit each other; None where they do."""
        ...


def to_device(values: Any, device: torch.device) -> torch.Tensor:
    """Put an array or a tensor on a device as a tensor; narrow whole numbers become int64.

    Parameters
    ----------
    values : ndarray or Tensor, shape (...)
        Of any shape, which stays.

    Returns
    -------
    Tensor, shape (...)
        Sharing memory where that is possible.
    """
    tensor = values if isinstance(values, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(values))
    return (tensor.long() if tensor.dtype in (torch.uint16, torch.int32) else tensor).to(device)
