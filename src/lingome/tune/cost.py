"""What fitting classifiers will take: a few steps of one are timed, see `lingome.train.cost`.

A fit of all layers reads the training examples once for its first head, then trains on them, and looks at the
validation examples in between; of the last N of L layers a step costs the forward third and N / L of the rest; frozen
features are one reading. Early stopping can only make it less. Baselines are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from lingome.config.finetune import TuneSettings
from lingome.config.train import TrainSettings
from lingome.models.architectures import Body
from lingome.models.devices import pick_device
from lingome.models.presets import build_classifier
from lingome.models.word2vec import StaticEmbeddings
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.cost import START_S, Load, estimate_training
from lingome.train.objectives import Batch, ClassificationObjective, LossSum
from lingome.train.sources import ExamplesSource
from lingome.tune.methods import last_n

Ids = Sequence[np.ndarray]


@dataclass(frozen=True)
class FitCost:
    """Estimate of all fits of a run.

    Parameters
    ----------
    memory_bytes : float
        As in `lingome.train.cost.Cost`.
    seconds : float
        At most, without baselines.
    """

    memory_bytes: float
    seconds: float


@dataclass(frozen=True)
class _Labelled:
    """The objective of a classifier for rows that come without labels."""

    tokenizer: Tokenizer
    n_classes: int

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        ids: Any = batch["input_ids"]
        labels = rng.integers(0, self.n_classes, len(ids))
        whole = {**batch, "attention_mask": np.ones(ids.shape, dtype=bool), "labels": labels}
        return ClassificationObjective().loss(model, whole, rng)


def estimate_fits(
    body: Body, tokenizer: Tokenizer, train: Ids, others: Ids, label_names: Sequence[str], fits: Sequence[str],
    settings: TuneSettings, device: str = "auto",
) -> FitCost:
    """Estimate the cost of fitting classifiers on copies of a body.

    Parameters
    ----------
    body : Body
        It is copied.
    train, others : sequence of int arrays
        Token ids of the training examples, and of those that are only read.
    fits : sequence of str
        The method of each fit: ``features``, ``last:N`` or ``full``.
    """
    config = body.config
    lengths = np.minimum([len(ids) + 2 for ids in (*train, *others)], config.max_positions)
    own = TrainSettings(epochs=settings.epochs, batch_tokens=settings.batch_tokens, precision=settings.precision)
    load = Load(int(lengths[: len(train)].max()), int(np.ceil(lengths[: len(train)].mean())), int(lengths.sum()))
    model = build_classifier(config, label_names=tuple(label_names), body=body).to(pick_device(device))
    if isinstance(body, StaticEmbeddings):  # a table: nothing to train, and reading it takes no time
        return FitCost(4.0 * sum(one.numel() for one in model.parameters()), START_S)
    cost = estimate_training(model, _Labelled(tokenizer, len(label_names)), own, load)
    source = ExamplesSource(list(train), np.zeros(len(train)), tokenizer, seed=0, max_tokens=config.max_positions,
                            batch_tokens=settings.batch_tokens)
    looks = settings.epochs * settings.evaluations * lengths[len(train) :].sum() / lengths.sum()
    trained_s = source.batches_per_epoch * settings.epochs * cost.step_s
    seconds = 0.0
    for method in fits:
        seconds += cost.valid_s
        if method != "features":
            share = 1.0 if method == "full" else (1 + 2 * last_n(method) / config.n_layers) / 3
            seconds += START_S + share * trained_s + looks * cost.valid_s
    return FitCost(cost.memory_bytes, seconds)
