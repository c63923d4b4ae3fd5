"""A linear head on frozen features, fitted by logistic regression and folded into the model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from lingome.models.heads.classifier import SequenceClassifier
from lingome.tune.predict import cross_entropy

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths C of the L2 penalty that are tried; features are standardised."""


class LinearHead(NamedTuple):
    """Weights (C, D), bias (C,), the inverse penalty chosen, and the loss that chose it (nats)."""

    weight: np.ndarray
    bias: np.ndarray
    strength: float
    loss: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Compute logits (N, C) of features (N, D)."""
        return np.asarray(features.astype(np.float64) @ self.weight.T + self.bias)

    def install(self, model: SequenceClassifier) -> None:
        """Put the weights into the model's own head."""
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(self.weight))
            model.head.bias.copy_(torch.from_numpy(self.bias))


def fit_head(
    train: np.ndarray,
    train_labels: np.ndarray,
    valid: np.ndarray,
    valid_labels: np.ndarray,
    n_classes: int,
    *,
    balanced: bool = False,
) -> LinearHead:
    """Fit a logistic regression on standardised features; the penalty is chosen on validation.

    Standardising is linear, so it is folded into weights and bias: the head takes the features as
    they come. Of two classes, class 0 gets the negative half of the log-odds, class 1 the other.

    Parameters
    ----------
    train, valid : ndarray of float, shape (N, D)
        Features. With no validation items, the penalty is chosen by the training loss of 0.1.
    train_labels, valid_labels : ndarray of int, shape (N,)
        Classes 0..C-1. A class that training lacks gets a very low, constant logit.
    n_classes : int
        C.
    balanced : bool
        Weigh classes inversely to their size.

    References
    ----------
    The linear probe of Alain and Bengio 2016, arXiv:1610.01644.
    """
    mean = train.mean(axis=0, dtype=np.float64)
    scale = train.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-8 * max(1.0, float(np.abs(train).max())), scale, 1.0)
    standard = (train - mean) / scale
    best: LinearHead | None = None
    for strength in STRENGTHS if len(valid_labels) else STRENGTHS[2:3]:
        fitted = LogisticRegression(
            C=strength, max_iter=1000, class_weight="balanced" if balanced else None
        ).fit(standard, train_labels)
        weight, bias = _by_class(fitted, n_classes)
        weight = weight / scale
        head = LinearHead(weight, bias - weight @ mean, strength, 0.0)
        features, labels = (valid, valid_labels) if len(valid_labels) else (train, train_labels)
        head = head._replace(loss=cross_entropy(head.logits(features), labels))
        if best is None or head.loss < best.loss:
            best = head
    assert best is not None
    return best


def _by_class(fitted: LogisticRegression, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Give weights (C, D) and bias (C,) of all classes, from scikit-learn's of those it saw."""
    coefficients = fitted.coef_
    intercepts = fitted.intercept_
    if len(fitted.classes_) == 2:
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    weight = np.zeros((n_classes, coefficients.shape[1]))
    bias = np.full(n_classes, -20.0)
    weight[fitted.classes_] = coefficients
    bias[fitted.classes_] = intercepts
    return weight, bias
