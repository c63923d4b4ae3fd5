"""Metrics against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lingome.evaluate.measures.metrics import WEIGHTED, best_threshold, curve_at, measure


def test_mcc_of_a_two_by_two_table() -> None:
    # 3 true positives, 1 false negative, 2 false positives, 4 true negatives:
    # (3*4 - 2*1) / sqrt((3+2)(3+1)(4+2)(4+1)) = 10 / sqrt(600)
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    scores = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.5, 0.4, 0.3, 0.2, 0.0])
    assert measure("mcc", labels, scores, 0.5) == pytest.approx(10 / np.sqrt(600))


def test_mcc_is_zero_when_all_are_called_the_same() -> None:
    assert measure("mcc", np.array([0, 1, 1]), np.array([0.9, 0.9, 0.9])) == 0.0


def test_mcc_of_three_classes() -> None:
    # Gorodkin's R_K by hand: 4 of 6 right, each class true twice and called twice:
    # (4*6 - 12) / sqrt((36 - 12)(36 - 12)) = 12 / 24
    labels = np.array([0, 0, 1, 1, 2, 2])
    called = np.array([0, 1, 1, 2, 2, 0])
    called[1], called[3], called[5] = 0, 2, 1
    # now: 0->0, 0->0, 1->1, 1->2, 2->2, 2->1: four right, called twice each
    assert measure("mcc", labels, np.eye(3)[called]) == pytest.approx(0.5)


def test_auroc_counts_a_tie_one_half() -> None:
    # pairs (positive, negative): 0.8>0.5 1, 0.8>0.2 1, 0.5=0.5 1/2, 0.5>0.2 1 -> 3.5 of 4
    assert measure("auroc", np.array([1, 1, 0, 0]), np.array([0.8, 0.5, 0.5, 0.2])) == pytest.approx(3.5 / 4)


def test_auroc_without_both_classes_is_unknown() -> None:
    assert np.isnan(measure("auroc", np.array([1, 1]), np.array([0.1, 0.2])))


def test_auprc_is_average_precision() -> None:
    # ranks: + - + -  -> recall gains 1/2 at precision 1/1 and 1/2 at precision 2/3
    assert measure("auprc", np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6])) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_auprc_of_ties_is_the_share_of_positives() -> None:
    assert measure("auprc", np.array([1, 0, 0, 0]), np.full(4, 0.3)) == pytest.approx(0.25)


def test_brier_and_calibration_error_by_hand() -> None:
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.9, 0.95, 0.2, 0.25])
    assert measure("brier", labels, scores) == pytest.approx((0.01 + 0.9025 + 0.64 + 0.0625) / 4)
    # bin 0.9-1: two items, mean 0.925, half happened; bin 0.2-0.3: mean 0.225, half happened
    assert measure("ece", labels, scores) == pytest.approx(0.5 * 0.425 + 0.5 * 0.275)


def test_curves_by_hand() -> None:
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.8, 0.1])
    once = np.ones((1, 4))
    # False positive rates 0, 0, 0.5, 1 and true ones 0, 0.5, 1, 1, with straight lines between.
    roc = curve_at("roc", labels == 1, scores, once, np.array([0.25, 0.5, 0.75]))
    assert roc[0].tolist() == pytest.approx([0.75, 1, 1])
    # Recalls 0.5, 1, 1 with precisions 1, 2/3, 1/2: the precision where a recall is first reached.
    pr = curve_at("pr", labels == 1, scores, once, np.array([0.25, 0.5, 0.75, 1.0]))
    assert pr[0].tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3])


def test_best_threshold_separates_and_ignores_one_class() -> None:
    assert best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.9])) == pytest.approx(0.25)
    assert best_threshold(np.array([1, 1]), np.array([0.1, 0.9])) == 0.5


def test_item_weights_are_repeats_of_items() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 40), rng.integers(0, 8, 40) / 8
    counts = rng.integers(0, 4, (5, 40)).astype(np.float32)
    for name, metric in WEIGHTED.items():
        together = metric(labels, scores, counts, 0.5)
        for row in range(5):
            repeat = np.repeat(np.arange(40), counts[row].astype(int))
            alone = metric(labels[repeat], scores[repeat], np.ones((1, len(repeat))), 0.5)[0]
            assert together[row] == pytest.approx(alone), name
