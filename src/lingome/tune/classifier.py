"""Fit a classifier of sequences: features, last layers or all, with the one training loop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from lingome.config.finetune import TuneSettings
from lingome.config.parts.train import TrainSettings
from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed
from lingome.data.examples import Examples
from lingome.models.architecture import Body
from lingome.models.devices import pick_device
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.presets import build_classifier
from lingome.models.reading.pieces import Pieces, cut_to_fit
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.checkpointing import Phase
from lingome.train.loop import train
from lingome.train.objectives import Batch, ClassificationObjective, LossSum
from lingome.train.sources import ExamplesSource
from lingome.tune.features import LinearHead, fit_head
from lingome.tune.methods import trainable_parameters
from lingome.tune.predict import cross_entropy, run_batches

TUNE_HINT = "shorten them, or cut their ends with tune.too_long=truncate"
"""What to try where a sequence is longer than the context."""


class TuneTrainSettings(TrainSettings):
    """Settings of the loop, made from those of ``tune``."""

    group: ClassVar[str] = "tune"


class Fitted(NamedTuple):
    """A fitted classifier, and how it did on the validation examples.

    Parameters
    ----------
    model : SequenceClassifier
        In evaluation mode, on the device it was fitted on.
    method, seed : str, int
        How it was fitted.
    valid_loss : float
        Mean cross-entropy over the validation examples, in nats; over training without any.
    valid_logits : ndarray of float32, shape (N_valid, C)
        What it says about them.
    steps, seconds : int, float
        Optimizer steps (0 for ``features``), and time.
    warnings : tuple of str
        What the user should know: collapse to one class, truncation, unknown letters.
    """

    model: SequenceClassifier
    method: str
    seed: int
    valid_loss: float
    valid_logits: np.ndarray
    steps: int
    seconds: float
    warnings: tuple[str, ...]


class FitLog(NamedTuple):
    """Where a fit says how it goes.

    Parameters
    ----------
    run : RunDir, optional
        Gets lines of ``metrics.jsonl``; None writes nothing.
    label : str
        Title of the progress bar, and phase of these lines.
    """

    run: RunDir | None
    label: str


def fit_classifier(
    start: Body,
    tokenizer: Tokenizer,
    examples: Examples,
    method: str,
    settings: TuneSettings,
    seed: int,
    *,
    device: str = "auto",
    log: FitLog | None = None,
) -> Fitted:
    """Fit a classifier on a copy of a body.

    With `settings.warm_head`, the head of ``last:N`` and ``full`` starts from the logistic
    regression on frozen features, so that the first steps do not distort the body (Kumar et al.
    2022, arXiv:2202.10054); the weights with the lowest validation loss are kept.

    Parameters
    ----------
    start : Body
        Body to adapt; it is copied. One with random weights gives the random-weights control.
    tokenizer : Tokenizer
        The body's.
    examples : Examples
        With training and validation splits; unlabelled and undivided ones are not used.
    settings : TuneSettings
        How it is trained.
    method : str
        ``features``, ``last:N`` or ``full``; static vectors take ``features`` alone.
    seed : int
        Of the head and of the order of examples.
    device : str
        As in `lingome.models.devices.pick_device`.
    log : FitLog, optional
        Where metrics go, and what the progress bar says. By default nothing is written, and it says the method.

    Raises
    ------
    ConfigError
        If the method is not known, or asks for more layers than there are.
    DataError
        If training examples are missing or of one class, or sequences do not fit the context.
    """
    began = time.monotonic()
    known = examples.select(np.asarray(examples.labels >= 0))
    parts = {name: known.split(name) for name in ("train", "valid")}
    check_training(parts["train"])
    room = start.config.max_positions
    names = examples.label_names
    coded = {
        name: cut_to_fit(tokenizer, part.sequences, room, settings.too_long, hint=TUNE_HINT)
        for name, part in parts.items()
    }
    model = build_classifier(start.config, label_names=names, seed=derive_seed(seed, "head"), body=start)
    model.to(pick_device(device))
    trained = trainable_parameters(model, method)
    steps = 0
    if method == "features" or settings.warm_head:
        _fit_features(model, tokenizer, coded, parts, settings).install(model)
    if method != "features":
        objective = ClassificationObjective(_class_weights(parts["train"].labels, len(names), settings))
        recorder = _Recorder(objective, log or FitLog(None, method))
        steps = _descend(model, trained, tokenizer, coded, parts, settings, seed, recorder)
    model.eval().requires_grad_(True)
    judged = "valid" if len(parts["valid"]) else "train"
    logits = run_batches(model, tokenizer, coded[judged].ids)
    warnings = [*_lost(coded), *_collapsed(logits, names)]
    loss = cross_entropy(logits, parts[judged].labels)
    valid_logits = logits if judged == "valid" else logits[:0]
    return Fitted(model, method, seed, loss, valid_logits, steps, time.monotonic() - began, tuple(warnings))


def check_training(train_part: Examples) -> None:
    """Refuse training examples of less than two classes.

    Raises
    ------
    DataError
        If there are none, or all are of one class.
    """
    if not len(train_part):
        raise DataError("there are no labelled training examples", hint="see task.split: by, fractions")
    if len(np.unique(train_part.labels)) < 2:
        only = train_part.label_names[int(train_part.labels[0])]
        raise DataError("all training examples are of one class", got=only, hint="check the labels, or the split")


def _fit_features(
    model: SequenceClassifier,
    tokenizer: Tokenizer,
    coded: Mapping[str, Pieces],
    parts: Mapping[str, Examples],
    settings: TuneSettings,
) -> LinearHead:
    pooled = {
        name: run_batches(model, tokenizer, one.ids, output="features", precision=settings.precision)
        for name, one in coded.items()
    }
    return fit_head(
        pooled["train"], parts["train"].labels, pooled["valid"], parts["valid"].labels, len(model.config.label_names),
        balanced=settings.class_weights == "balanced",
    )


def _class_weights(labels: np.ndarray, n_classes: int, settings: TuneSettings) -> tuple[float, ...] | None:
    """Weigh classes inversely to their size among labels, shape (N,), where the settings ask for it."""
    if settings.class_weights != "balanced":
        return None
    counts = np.bincount(labels, minlength=n_classes)
    return tuple(float(len(labels) / (np.count_nonzero(counts) * max(count, 1))) for count in counts)


def _descend(
    model: SequenceClassifier,
    trained: list[nn.Parameter],
    tokenizer: Tokenizer,
    coded: Mapping[str, Pieces],
    parts: Mapping[str, Examples],
    settings: TuneSettings,
    seed: int,
    recorder: _Recorder,
) -> int:
    """Train with the one loop, keeping the weights of the lowest validation loss; gives the steps."""
    labels = parts["train"].labels
    source = ExamplesSource(
        coded["train"].ids, labels, tokenizer, seed=derive_seed(seed, "order"), batch_tokens=settings.batch_tokens,
        max_tokens=model.config.max_positions,
    )
    eval_every = -(-source.batches_per_epoch // settings.evaluations)
    train_settings = TuneTrainSettings(
        epochs=settings.epochs, batch_tokens=settings.batch_tokens, lr=settings.lr, warmup_share=settings.warmup_share,
        weight_decay=settings.weight_decay, precision=settings.precision, log_every=max(1, source.batches_per_epoch),
        eval_every=eval_every, patience=settings.patience,
    )

    def evaluate(judged: nn.Module) -> Mapping[str, float]:
        assert isinstance(judged, SequenceClassifier)
        logits = run_batches(judged, tokenizer, coded["valid"].ids, precision=settings.precision)
        return recorder.note({"loss": cross_entropy(logits, parts["valid"].labels)})

    result = train(
        model, recorder, source, train_settings,
        phase=Phase(recorder.log.label, derive_seed(seed, "train"), recorder.log.label),
        evaluate=evaluate if len(parts["valid"]) else None, parameters=trained,
    )
    return result.steps


@dataclass
class _Recorder:
    """An objective that also writes a line of metrics at every look at the validation loss.

    The loop itself would write the training state, which a fit of seconds has no use for.
    """

    inner: ClassificationObjective
    log: FitLog
    step: int = 0
    tokens: int = 0
    began: float = field(default_factory=time.monotonic)
    total: float = 0.0
    items: float = 0.0

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Pass the loss on, and add it up."""
        result = self.inner.loss(model, batch, rng)
        self.step += 1
        self.tokens += int(torch.as_tensor(batch["attention_mask"]).sum())
        self.total += float(result.total.detach())
        self.items += result.items
        return result

    def note(self, values: dict[str, float]) -> dict[str, float]:
        """Write the mean training loss since the last look, and what validation says."""
        if self.log.run is not None:
            shared = {"step": self.step, "tokens": self.tokens, "time_s": round(time.monotonic() - self.began, 2)}
            mean = self.total / max(self.items, 1e-9)
            self.log.run.append_metric(phase=self.log.label, split="train", loss=mean, **shared)
            self.log.run.append_metric(phase=self.log.label, split="valid", **values, **shared)
        self.total = self.items = 0.0
        return values


def _lost(coded: Mapping[str, Pieces]) -> list[str]:
    return [f"{name}: {text}" for name, one in coded.items() for text in one.warnings()]


def _collapsed(logits: np.ndarray, label_names: tuple[str, ...]) -> list[str]:
    """Warn when a model calls everything one class."""
    called = np.unique(logits.argmax(axis=1))
    if len(logits) and len(called) == 1:
        name = label_names[int(called[0])]
        return [f"every validation example is called {name!r}: the classes are uneven or nothing was learnt; "
                "judge by AUROC, or set tune.class_weights=balanced"]
    return []
