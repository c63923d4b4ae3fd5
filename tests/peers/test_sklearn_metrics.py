"""Metrics equal scikit-learn's on random input with ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from lingome.evaluate.measures.metrics import curve_at, measure, predicted_class


@st.composite
def _binary(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 60))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    labels[0], labels[1] = 0, 1
    levels = draw(st.sampled_from([2, 5, 1000]))
    scores = np.array(draw(st.lists(st.integers(0, levels), min_size=n, max_size=n))) / levels
    return labels, scores


@given(_binary(), st.floats(0.01, 0.99))
@settings(max_examples=150, deadline=None)
def test_two_classes(items: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    labels, scores = items
    assert measure("auroc", labels, scores) == pytest.approx(peer.roc_auc_score(labels, scores))
    assert measure("auprc", labels, scores) == pytest.approx(peer.average_precision_score(labels, scores))
    assert measure("brier", labels, scores) == pytest.approx(peer.brier_score_loss(labels, scores))
    called = predicted_class(scores, threshold)
    assert measure("mcc", labels, scores, threshold) == pytest.approx(peer.matthews_corrcoef(labels, called))
    false, true, _ = peer.roc_curve(labels, scores, drop_intermediate=False)
    between = (np.arange(40) + 0.37) / 40.3  # no rate of at most 60 items, where the curve may be vertical
    own = curve_at("roc", labels == 1, scores, np.ones((1, len(labels))), between)
    np.testing.assert_allclose(own[0], np.interp(between, false, true))


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_more_classes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(4), rng.integers(0, 4, 50)])
    scores = rng.dirichlet(np.ones(4), len(labels))
    assert measure("auroc", labels, scores) == pytest.approx(peer.roc_auc_score(labels, scores, multi_class="ovr"))
    macro = peer.average_precision_score(np.eye(4)[labels], scores, average="macro")
    assert measure("auprc", labels, scores) == pytest.approx(macro)
    assert measure("mcc", labels, scores) == pytest.approx(peer.matthews_corrcoef(labels, scores.argmax(axis=1)))
