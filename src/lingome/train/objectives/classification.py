"""Classification of whole sequences.

Shapes: B sequences of a batch, L tokens of each, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lingome.train.objectives.objective import Batch, LossSum, to_device


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
        logits_BC = model(to_device(batch["input_ids"], device), to_device(batch["attention_mask"], device)).float()
        labels_B = to_device(batch["labels"], device).long()
        weights_C = None
        items = float(len(labels_B))
        if self.class_weights is not None:
            weights_C = torch.tensor(self.class_weights, dtype=torch.float32, device=device)
            items = float(weights_C[labels_B].sum())
        total = functional.cross_entropy(logits_BC, labels_B, weight=weights_C, reduction="sum")
        return LossSum(total, items)
