"""Rank correlation of scores with a measurement, with an interval over groups of items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from lingome.core.seeds import generator
from lingome.evaluate.measures.intervals import Estimate


def spearman_interval(
    scores: np.ndarray, measured: np.ndarray, groups: Sequence[object] | None = None, n_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Estimate Spearman's rank correlation with a 95 % bootstrap interval.

    Groups are drawn whole: the three substitutions of one base are not independent (block bootstrap; Kunsch 1989,
    doi:10.1214/aos/1176347265).

    Parameters
    ----------
    scores, measured : ndarray of float, shape (N,)
        Finite numbers.
    groups : sequence, optional
        The group of each item; every item alone by default.
    n_resamples, seed : int
        Resamples, and the seed of drawing them.

    Returns
    -------
    Estimate
        -1..1; nan where either side is constant or there are fewer than three items.
    """
    ids = np.arange(len(scores)) if groups is None else np.unique([str(one) for one in groups], return_inverse=True)[1]
    members = np.split(np.argsort(ids, kind="stable"), np.flatnonzero(np.diff(np.sort(ids))) + 1)
    rng = generator(seed, "spearman")
    drawn = []
    for _ in range(n_resamples):
        picks = np.concatenate([members[group] for group in rng.integers(0, len(members), len(members))])
        drawn.append(spearman(scores[picks], measured[picks]))
    finite = np.array([value for value in drawn if np.isfinite(value)])
    low, high = np.quantile(finite, [0.025, 0.975]) if len(finite) else (np.nan, np.nan)
    return Estimate(spearman(scores, measured), float(low), float(high))


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Compute Spearman's rank correlation, ties sharing their mean rank; nan if one side is constant.

    Parameters
    ----------
    one, other : ndarray of float, shape (N,)

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    if len(one) < 3:
        return float("nan")
    ranks = [stats.rankdata(values) for values in (one, other)]
    first, second = (values - values.mean() for values in ranks)
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / scale) if scale else float("nan")
