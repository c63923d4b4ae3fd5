"""The linear head equals scikit-learn's pipeline, folded into the model's own layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lingome.models.presets import build_classifier
from lingome.tune.features import STRENGTHS, fit_head
from lingome.tune.predict import cross_entropy, softmax


def made(n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, 400)
    features = rng.normal(size=(400, 64)) * rng.uniform(0.01, 30, 64) + rng.normal(size=64) * 5
    features[np.arange(400), labels] += 20
    return features[:300].astype(np.float32), labels[:300], features[300:].astype(np.float32), labels[300:]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_head_gives_the_probabilities_of_scikit_learn(n_classes: int):
    train, train_labels, valid, valid_labels = made(n_classes)
    head = fit_head(train, train_labels, valid, valid_labels, n_classes)
    outside = make_pipeline(StandardScaler(), LogisticRegression(C=head.strength, max_iter=1000))
    outside.fit(train.astype(np.float64), train_labels)
    expected = outside.predict_proba(valid.astype(np.float64))
    assert np.abs(softmax(head.logits(valid)) - expected).max() < 1e-5
    # And so does the model's own layer, in float32, once the head is installed.
    model = build_classifier("tiny", 9, label_names=[str(i) for i in range(n_classes)])
    head.install(model)
    with torch.no_grad():
        logits = model.head(torch.from_numpy(valid)).numpy()
    assert np.abs(softmax(logits) - expected).max() < 1e-4


def test_the_penalty_is_the_one_with_the_lowest_validation_loss():
    train, train_labels, valid, valid_labels = made(2, seed=4)
    losses = {}
    for strength in STRENGTHS:
        outside = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        outside.fit(train.astype(np.float64), train_labels)
        chances = outside.predict_proba(valid.astype(np.float64))
        losses[strength] = -np.log(chances[np.arange(len(valid_labels)), valid_labels]).mean()
    head = fit_head(train, train_labels, valid, valid_labels, 2)
    assert head.strength == min(losses, key=lambda strength: losses[strength])
    assert head.loss == pytest.approx(losses[head.strength], abs=1e-5)


def test_a_constant_feature_and_a_class_that_training_lacks_do_no_harm():
    train, train_labels, valid, valid_labels = made(2)
    train[:, 5] = valid[:, 5] = 7.0
    head = fit_head(train, train_labels, valid, valid_labels, 3)
    chances = softmax(head.logits(valid))
    assert np.isfinite(chances).all()
    assert chances[:, 2].max() < 1e-6


def test_cross_entropy_of_even_odds_is_ln_2():
    assert cross_entropy(np.zeros((4, 2)), np.array([0, 1, 1, 0])) == pytest.approx(np.log(2))
