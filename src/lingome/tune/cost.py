"""What fitting classifiers will take: a few steps of one are timed, see `lingome.train.cost`.

The way that changes most is timed. A fit of layers reads the training examples once for its first head, then trains
on them, and looks at the validation examples in between; of the last N of L layers a step costs the forward third and
N / L of the rest; frozen features are one reading. Early stopping can only make it less. Baselines are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from lingome.config.finetune import TuneSettings
from lingome.config.parts.train import TrainSettings
from lingome.models.architecture import Body
from lingome.models.devices import pick_device
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.networks.word2vec.model import StaticEmbeddings
from lingome.models.presets import build_classifier
from lingome.models.reading.cost import ReadingCost, estimate_reading
from lingome.tokens.frame import N_SPECIAL
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.cost import START_S, Load, estimate_training
from lingome.train.objectives import Batch, ClassificationObjective, LossSum
from lingome.train.sources import ExamplesSource
from lingome.tune.methods import last_n, trainable_parameters
from lingome.tune.predict import run_batches

Ids = Sequence[np.ndarray]
"""Token ids of sequences, shape (n,) each, without special tokens."""


@dataclass(frozen=True)
class FitCost:
    """Estimate of all fits of a run.

    Parameters
    ----------
    n_tokens : int
        Of the training examples, without special ones.
    memory_bytes : float
        As in `lingome.train.cost.Cost`.
    seconds : float
        At most, without baselines.
    """

    n_tokens: int
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


def estimate_predicting(
    model: SequenceClassifier, tokenizer: Tokenizer, ids: Ids, device: str = "auto", batch_tokens: int | None = None
) -> ReadingCost:
    """Estimate the cost of running a classifier over sequences.

    Parameters
    ----------
    model : SequenceClassifier
        It is moved to the device.
    tokenizer : Tokenizer
        The model's own.
    ids : sequence of ndarray of int, shape (n,) each
        Token ids of the sequences, without special tokens.
    device : str
        As in `lingome.models.devices.pick_device`.
    batch_tokens : int, optional
        Tokens of a batch; None for what suits the device.
    """
    place = pick_device(device)
    model.to(place)
    n_tokens = sum(len(one) + N_SPECIAL for one in ids)
    return estimate_reading(
        lambda rows: run_batches(model, tokenizer, rows, batch_tokens=batch_tokens), model, tokenizer, n_tokens,
        n_tokens / max(1, len(ids)), device=place, batch_tokens=batch_tokens, copies=2,
    )


def estimate_fits(
    body: Body, tokenizer: Tokenizer, ids: Mapping[str, Ids], label_names: Sequence[str], fits: Sequence[str],
    settings: TuneSettings, device: str = "auto",
) -> FitCost:
    """Estimate the cost of fitting classifiers on copies of a body.

    Parameters
    ----------
    body : Body
        It is copied.
    tokenizer : Tokenizer
        The body's own.
    ids : mapping of str to sequence of ndarray of int, shape (n,) each
        Token ids of the examples of ``train``, ``valid`` and ``test``.
    label_names : sequence of str
        Names of the classes.
    fits : sequence of str
        The method of each fit: ``features``, ``last:N`` or ``full``.
    settings : TuneSettings
        Batches, epochs and precision.
    device : str
        As in `lingome.models.devices.pick_device`.

    Raises
    ------
    ConfigError
        If a method is not for this body.
    """
    config = body.config
    most = config.max_positions
    lengths = {name: np.minimum([len(one) + N_SPECIAL for one in some], most) for name, some in ids.items()}
    n_tokens = sum(map(len, ids["train"]))
    train = lengths["train"]
    own = TrainSettings(epochs=settings.epochs, batch_tokens=settings.batch_tokens, precision=settings.precision)
    every = int(sum(some.sum() for some in lengths.values()))
    model = build_classifier(config, label_names=tuple(label_names), body=body).to(pick_device(device))
    n_layers = 1 if isinstance(body, StaticEmbeddings) else config.n_layers
    strongest = max(fits, key=lambda method: _work(method, n_layers))
    for method in (*fits, strongest):
        trainable_parameters(model, method)
    if isinstance(body, StaticEmbeddings):  # a table: reading it takes no time
        return FitCost(n_tokens, 4.0 * sum(one.numel() for one in model.parameters()), START_S * len(fits))
    load = Load(int(train.max()), int(np.ceil(train.mean())), every)
    cost = estimate_training(model, _Labelled(tokenizer, len(label_names)), own, load)
    source = ExamplesSource(list(ids["train"]), np.zeros(len(train)), tokenizer, seed=0, batch_tokens=own.batch_tokens,
                            max_tokens=config.max_positions)
    reading_s = cost.valid_s * 3 / _work(strongest, n_layers)  # of all examples
    looks = settings.epochs * settings.evaluations * lengths["valid"].sum() / every
    trained_s = source.batches_per_epoch * settings.epochs * cost.step_s
    seconds = 0.0
    for method in fits:
        seconds += START_S + reading_s
        if method != "features":
            seconds += trained_s * _work(method, n_layers) / _work(strongest, n_layers) + looks * reading_s
    return FitCost(n_tokens, cost.memory_bytes, seconds)


def _work(method: str, n_layers: int) -> float:
    """Give the cost of a step, in readings: the backward pass of a layer costs twice its forward pass."""
    if method == "features":
        return 1.0
    return 3.0 if method == "full" else 1 + 2 * min(last_n(method), n_layers) / n_layers
