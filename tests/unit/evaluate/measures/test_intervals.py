"""Bootstrap intervals: coverage, pairing, seeds, speed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lingome.evaluate.measures.intervals import bootstrap, bootstrap_difference, bootstrap_mean, curve_band
from lingome.evaluate.measures.metrics import measure


def test_value_is_the_mean_over_seeds_and_lies_inside() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    scores = np.clip(rng.random((3, 200)) * 0.7 + labels * 0.3, 0, 1)
    found = bootstrap(labels, scores, ("mcc", "auroc"), 300, seed=1)
    assert found["auroc"].value == pytest.approx(np.mean([measure("auroc", labels, one) for one in scores]))
    assert found["mcc"].value == pytest.approx(np.mean([measure("mcc", labels, one) for one in scores]))
    assert all(one.low < one.value < one.high for one in found.values())
    assert found == bootstrap(labels, scores, ("mcc", "auroc"), 300, seed=1)


def test_random_labels_have_an_mcc_interval_around_zero() -> None:
    rng = np.random.default_rng(5)
    found = bootstrap(rng.integers(0, 2, 500), rng.random((2, 500)), ("mcc",), 500)["mcc"]
    assert found.low < 0 < found.high


def test_coverage_of_a_share() -> None:
    # The true mean of Bernoulli(0.3) lies in about 95 % of the intervals; 80 of 100 is far below that.
    rng = np.random.default_rng(2)
    inside = 0
    for trial in range(100):
        hits = (rng.random((1, 150)) < 0.3).astype(float)
        found = bootstrap_mean(hits, 200, seed=trial)
        inside += found.low <= 0.3 <= found.high
    assert 85 <= inside <= 100


def test_seeds_that_disagree_widen_the_interval() -> None:
    hits = np.ones((4, 300))
    hits[2:] = 0
    wide = bootstrap_mean(hits, 300)
    assert wide.value == 0.5
    assert wide.high - wide.low > 0.7
    alone = bootstrap_mean(hits[:1], 300)
    assert alone == (1.0, 1.0, 1.0)


def test_difference_with_itself_is_zero_and_pairing_is_sharp() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 400)
    scores = np.clip(rng.random((1, 400)) * 0.9 + labels * 0.1, 0, 1)
    assert bootstrap_difference(labels, scores, scores, "auroc", 200) == (0.0, 0.0, 0.0)
    better = np.clip(scores + 0.2 * (labels - 0.5), 0, 1)
    gain = bootstrap_difference(labels, better, scores, "auroc", 200)
    assert 0 < gain.low < gain.value < gain.high


def test_band_contains_its_curve_and_perfect_scores_hug_the_corner() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 300)
    for kind in ("roc", "pr"):
        x, y, low, high = curve_band(labels, rng.random((2, 300)), kind, n_resamples=50)
        assert x.shape == y.shape == low.shape == high.shape == (101,)
        assert (low <= high).all()
        assert np.mean((low <= y) & (y <= high)) > 0.9
    _, y, low, _ = curve_band(labels, labels[None].astype(float), "pr", n_resamples=20)
    assert y.min() == low.min() == 1.0


@pytest.mark.filterwarnings("error")
def test_a_class_too_rare_for_some_resamples_is_left_out() -> None:
    labels = np.array([1] + [0] * 9)
    found = bootstrap(labels, np.linspace(1, 0, 10)[None], ("auroc", "auprc"), 200)
    assert found["auroc"] == (1.0, 1.0, 1.0)
    assert found["auprc"].value == 1.0


def test_a_thousand_resamples_of_a_thousand_items_are_quick() -> None:
    rng = np.random.default_rng(6)
    labels, scores = rng.integers(0, 2, 1000), rng.random((1, 1000))
    started = time.process_time()
    bootstrap(labels, scores, ("mcc", "auroc", "auprc", "brier", "ece"), 1000)
    assert time.process_time() - started < 1.0
