"""Bootstrap intervals: how far a number could move with other test items and other seeds.

Legend of shapes: S seeds, N test items, R resamples.

Test items and seeds are drawn together: a resample takes N items with replacement and, of the S
fits, S with replacement, and averages the metric over the fits drawn. All methods that share a
seed see the same resamples, so that they can be compared item by item.
Percentile intervals (Efron & Tibshirani 1993, ISBN 978-0-412-04231-7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lingome.core.seeds import generator
from lingome.evaluate.measures.metrics import WEIGHTED, curve_at

_CELLS = 4_000_000


class Estimate(NamedTuple):
    """A number and its 95 % interval; `value` is the mean over seeds on the items as they are."""

    value: float
    low: float
    high: float


def resamples(n_items: int, n_seeds: int, n_resamples: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of resamples: item counts (R, N) float32, and weights of the seeds (R, S).

    Weights of a resample's seeds sum to 1. Blocks keep memory bounded; their content depends on
    the arguments alone.

    Parameters
    ----------
    n_items, n_seeds : int
        N and S.
    n_resamples : int
        Resamples in all; the R of the blocks add up to it.
    seed : int
        Of the drawing.
    """
    block = max(1, _CELLS // max(1, n_items))
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        random = generator(seed, "bootstrap", start)
        drawn = random.integers(n_items, size=(rows, n_items)) + np.arange(rows)[:, None] * n_items
        counts = np.bincount(drawn.ravel(), minlength=rows * n_items).reshape(rows, n_items)
        fits = random.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=rows) / n_seeds
        yield counts.astype(np.float32), fits


def _thresholds(threshold: float | Sequence[float], n_seeds: int) -> list[float]:
    values = [float(threshold)] * n_seeds if isinstance(threshold, int | float) else [float(t) for t in threshold]
    assert len(values) == n_seeds, "one threshold, or one per seed"
    return values


def sampled_metric(
    labels: np.ndarray,
    scores_by_seed: np.ndarray,
    metric: str,
    counts_RN: np.ndarray,
    fits_RS: np.ndarray,
    threshold: float | Sequence[float] = 0.5,
) -> np.ndarray:
    """Compute a metric on every resample of a block, averaged over the fits drawn.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        True classes.
    scores_by_seed : ndarray of float, shape (S, N) or (S, N, C)
        Probabilities of each fit.
    metric : str
        Name in `lingome.evaluate.measures.metrics.WEIGHTED`.
    counts_RN, fits_RS : ndarray of float
        How often each item was drawn, and the weight of each fit; see `resamples`.
    threshold : float or sequence of S floats
        An item is called class 1 from here on.

    Returns
    -------
    ndarray of float64, shape (R,)
    """
    limits = _thresholds(threshold, len(scores_by_seed))
    by_seed = [
        WEIGHTED[metric](labels, scores, counts_RN, limit)
        for scores, limit in zip(scores_by_seed, limits, strict=True)
    ]
    return np.asarray((np.stack(by_seed, axis=1) * fits_RS).sum(axis=1))


def bootstrap(
    labels: np.ndarray,
    scores_by_seed: np.ndarray,
    metrics: Sequence[str] = ("mcc", "auroc", "auprc"),
    n_resamples: int = 1000,
    seed: int = 0,
    threshold: float | Sequence[float] = 0.5,
) -> dict[str, Estimate]:
    """Estimate metrics with 95 % intervals over test items and seeds.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        True classes.
    scores_by_seed : ndarray of float, shape (S, N) or (S, N, C)
        Probabilities of each of S fits.
    metrics : sequence of str
        Names in `lingome.evaluate.measures.metrics.WEIGHTED`.
    n_resamples : int
        Resamples drawn; those with a single class are left out of the interval.
    seed : int
        Seed of the resampling.
    threshold : float or sequence of S floats
        For metrics of calls (MCC).
    """
    scores_by_seed = np.asarray(scores_by_seed, dtype=np.float64)
    labels = np.asarray(labels, dtype=np.int64)
    n_seeds, n_items = scores_by_seed.shape[:2]
    everything = np.ones((1, n_items), dtype=np.float32)
    every_fit = np.full((1, n_seeds), 1 / n_seeds)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for counts, fits in resamples(n_items, n_seeds, n_resamples, seed):
        for name in metrics:
            drawn[name].append(sampled_metric(labels, scores_by_seed, name, counts, fits, threshold))
    estimates = {}
    for name in metrics:
        value = sampled_metric(labels, scores_by_seed, name, everything, every_fit, threshold)[0]
        estimates[name] = Estimate(float(value), *_limits(np.concatenate(drawn[name])))
    return estimates


def _limits(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_mean(values_SN: np.ndarray, n_resamples: int = 1000, seed: int = 0) -> Estimate:
    """Estimate the mean of S x N numbers (hits, losses), drawing items and seeds together."""
    values = np.asarray(values_SN, dtype=np.float64)
    drawn = [
        ((counts @ values.T) * fits).sum(axis=1) / values.shape[1]
        for counts, fits in resamples(values.shape[1], values.shape[0], n_resamples, seed)
    ]
    return Estimate(float(values.mean()), *_limits(np.concatenate(drawn)))


def bootstrap_difference(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    metric: str = "auroc",
    n_resamples: int = 1000,
    seed: int = 0,
    thresholds: tuple[float | Sequence[float], float | Sequence[float]] = (0.5, 0.5),
) -> Estimate:
    """Estimate how much better `first` is than `second` on the same items, with a paired interval.

    The interval excludes 0 when the two can be told apart on this many items.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        True classes.
    first, second : ndarray of float, shape (S, N) or (S, N, C)
        Probabilities of each fit; the number of fits may differ.
    metric : str
        Name in `lingome.evaluate.measures.metrics.WEIGHTED`.
    n_resamples, seed : int
        Resamples drawn, and the seed of drawing them.
    thresholds : tuple of two
        For metrics of calls (MCC): a number, or one for each fit, of `first` and of `second`.
    """
    labels = np.asarray(labels, dtype=np.int64)
    value = 0.0
    drawn = []
    blocks = []
    for sign, scores, threshold in ((1, first, thresholds[0]), (-1, second, thresholds[1])):
        n_seeds, n_items = scores.shape[:2]
        whole = sampled_metric(
            labels, scores, metric, np.ones((1, n_items), np.float32), np.full((1, n_seeds), 1 / n_seeds), threshold
        )
        value += sign * float(whole[0])
        blocks.append(np.concatenate([
            sign * sampled_metric(labels, scores, metric, counts, fits, threshold)
            for counts, fits in resamples(n_items, n_seeds, n_resamples, seed)
        ]))
    drawn = blocks[0] + blocks[1]
    return Estimate(value, *_limits(drawn))


def curve_band(
    labels: np.ndarray,
    scores_by_seed: np.ndarray,
    kind: str,
    n_points: int = 101,
    n_resamples: int = 200,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give a mean curve with a pointwise 95 % band: x, y, low, high, each of shape (n_points,).

    With more than two classes, the mean of the curves of each class against the rest.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        True classes.
    scores_by_seed : ndarray of float, shape (S, N) or (S, N, C)
        Probabilities of each fit.
    kind : {"roc", "pr"}
        x is the false positive rate and y the true positive rate, or x recall and y precision.
    n_points : int
        Evenly spaced x from 0 to 1.
    n_resamples, seed : int
        Resamples of the band, and the seed of drawing them.
    """
    x = np.linspace(0.0, 1.0, n_points)
    n_seeds, n_items = scores_by_seed.shape[:2]
    whole = _mean_curve(
        kind, labels, scores_by_seed, np.ones((1, n_items), np.float32), np.full((1, n_seeds), 1 / n_seeds), x
    )
    drawn = [
        _mean_curve(kind, labels, scores_by_seed, counts, fits, x)
        for counts, fits in resamples(n_items, n_seeds, n_resamples, seed)
    ]
    curves = np.concatenate(drawn)
    curves = curves[np.isfinite(curves).all(axis=1)]
    if not len(curves):
        return x, whole[0], whole[0], whole[0]
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    return x, whole[0], low, high


def _mean_curve(
    kind: str, labels: np.ndarray, scores_by_seed: np.ndarray, counts: np.ndarray, fits: np.ndarray, x: np.ndarray
) -> np.ndarray:
    total = np.zeros((len(counts), len(x)))
    for index, scores in enumerate(scores_by_seed):
        if scores.ndim == 1:
            curve = curve_at(kind, labels == 1, scores, counts, x)
        else:
            classes = [curve_at(kind, labels == c, scores[:, c], counts, x) for c in range(scores.shape[1])]
            curve = np.mean(classes, axis=0)
        total += curve * fits[:, index : index + 1]
    return total
