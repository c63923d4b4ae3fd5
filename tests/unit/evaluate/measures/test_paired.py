"""Paired comparison: what the bootstrap must give in cases that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest

from lingome.evaluate.measures.paired import Draws, behind_best, resampled_mean, resampled_ratio


def test_variance_over_items_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).random((1, 400))
    draws = resampled_mean(values, np.arange(400), 4000)
    assert draws.value == pytest.approx(values.mean())
    assert draws.drawn.std() == pytest.approx(values.std() / 20, rel=0.05)


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_variance_over_seeds_is_unbiased(n_seeds: int) -> None:
    """Fits that differ by their seed alone: the variance of the mean is s^2 / S, s^2 taken over S - 1."""
    means = np.linspace(0.2, 0.6, n_seeds)
    draws = resampled_mean(np.repeat(means[:, None], 50, axis=1), np.arange(50), 6000)
    assert draws.drawn.var() == pytest.approx(means.var(ddof=1) / n_seeds, rel=0.08)


def test_items_of_a_block_stay_together() -> None:
    """Ten equal items a block carry the information of one."""
    blocks = np.random.default_rng(1).random(60)
    together = resampled_mean(np.repeat(blocks, 10)[None], np.repeat(np.arange(60), 10), 4000)
    alone = resampled_mean(blocks[None], np.arange(60), 4000)
    assert together.drawn.std() == pytest.approx(alone.drawn.std(), rel=0.01)


def test_a_constant_difference_has_no_width() -> None:
    values = np.random.default_rng(2).random((3, 100))
    block = np.arange(100) // 5
    best, behind = behind_best({
        "a": resampled_mean(values, block), "b": resampled_mean(values + 0.1, block),
        "c": resampled_mean(values - 0.2, block),
    })
    assert best == "b"
    assert behind["a"] == pytest.approx((0.1, 0.1, 0.1))
    assert behind["c"] == pytest.approx((0.3, 0.3, 0.3))
    assert behind["b"] == (0, 0, 0)


def test_ratio_is_of_sums() -> None:
    draws = resampled_ratio(np.array([2.0, 1.0]), np.array([10.0, 2.0]))
    assert draws.value == 0.25
    assert set(np.round(draws.drawn, 6)) == {0.2, 0.25, 0.5}
    assert resampled_ratio(np.zeros(3), np.zeros(3)).estimate == (0, 0, 0)
    assert Draws(1.0, np.ones(4)).less(Draws(0.25, np.full(4, 0.5))).estimate == (0.75, 0.5, 0.5)
