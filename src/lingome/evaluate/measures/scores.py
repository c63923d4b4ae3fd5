"""From probabilities on test items to the tables of a report: scores, curves, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.evaluate.measures.intervals import bootstrap, bootstrap_difference, curve_band
from lingome.evaluate.measures.metrics import N_BINS, bin_of, confidence, measure

METRICS = ("mcc", "auroc", "auprc", "brier", "ece")


class Scored(NamedTuple):
    """What one method says about the test items.

    Parameters
    ----------
    name : str
        Name in every table.
    kind : str
        ``model`` or ``baseline``.
    labels : ndarray of int, shape (N,)
        True classes of the test items.
    probabilities : ndarray of float, shape (S, N) or (S, N, C)
        Of class 1, from S fits with different seeds; with C > 2 classes, of each class.
    group : str
        What belongs together in a chart: ``frozen``, ``all layers``, ``trivial``, ``k-mers`` ...
    threshold : float or tuple of S floats
        An item is called class 1 from here on; 0.5, or chosen on validation items
        (`lingome.evaluate.measures.metrics.best_threshold`), never on test items.
    """

    name: str
    kind: str
    labels: np.ndarray
    probabilities: np.ndarray
    group: str = ""
    threshold: float | tuple[float, ...] = 0.5


class ScoreTables(NamedTuple):
    """Rows of the tables ``scores``, ``curves`` and ``calibration``."""

    scores: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    calibration: list[dict[str, Any]]


def check_scored(scored: Scored) -> None:
    """Check that probabilities fit their labels.

    Raises
    ------
    DataError
        If shapes differ, a label is unknown (-1) or out of range, or a probability is not in 0..1.
    """
    labels = scored.labels
    probabilities = scored.probabilities
    if probabilities.ndim not in (2, 3) or probabilities.shape[1] != len(labels) or not len(labels):
        raise DataError(
            f"the probabilities of {scored.name!r} do not fit the labels", got=probabilities.shape,
            expected=f"(seeds, {len(labels)}) with at least one item",
        )
    n_classes = 2 if probabilities.ndim == 2 else probabilities.shape[2]
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(
            "test items need a known label", where=scored.name, got=sorted(set(labels.tolist()))[:5],
            expected=f"0..{n_classes - 1}",
        )
    if not np.isfinite(probabilities).all() or probabilities.min() < -1e-6 or probabilities.max() > 1 + 1e-6:
        raise DataError("probabilities must lie in 0..1", where=scored.name)


def score_table(scored: Sequence[Scored], *, n_resamples: int = 1000, seed: int = 0) -> ScoreTables:
    """Measure every method on the same resamples.

    Returns
    -------
    ScoreTables
        ``scores``: name, kind, group, seeds, then mcc, auroc, auprc each with _low and _high (95 %,
        bootstrap over items and seeds), brier, ece, n_test, n_positive (empty with more than two
        classes), threshold. ``curves``: name, kind, curve, x, y, low, high at 101 points.
        ``calibration``: name, kind, predicted, observed, low, high, n of each filled bin.

    Raises
    ------
    DataError
        If probabilities and labels do not fit each other.
    """
    tables = ScoreTables([], [], [])
    with track("intervals", total=len(scored), unit="methods") as task:
        for one in scored:
            check_scored(one)
            tables.scores.append(_score_row(one, n_resamples, seed))
            tables.curves.extend(_curve_rows(one, seed))
            tables.calibration.extend(calibration_rows(one))
            task.advance(1, one.name)
    return tables


def _score_row(scored: Scored, n_resamples: int, seed: int) -> dict[str, Any]:
    estimates = bootstrap(
        scored.labels, scored.probabilities, METRICS, n_resamples, seed, scored.threshold
    )
    row: dict[str, Any] = {
        "name": scored.name, "kind": scored.kind, "group": scored.group, "seeds": len(scored.probabilities),
    }
    for name in ("mcc", "auroc", "auprc"):
        row[name] = _known(estimates[name].value)
        row[f"{name}_low"] = _known(estimates[name].low)
        row[f"{name}_high"] = _known(estimates[name].high)
    row["brier"] = estimates["brier"].value
    row["ece"] = estimates["ece"].value
    row["n_test"] = len(scored.labels)
    two = scored.probabilities.ndim == 2
    row["n_positive"] = int((scored.labels == 1).sum()) if two else None
    row["threshold"] = float(np.mean(scored.threshold)) if two else None
    return row


def _known(value: float) -> float | None:
    """Show what cannot be computed (one class only) as an empty cell."""
    return value if np.isfinite(value) else None


def _curve_rows(scored: Scored, seed: int) -> list[dict[str, Any]]:
    if len(np.unique(scored.labels)) < 2:
        return []
    rows: list[dict[str, Any]] = []
    for kind in ("roc", "pr"):
        x, y, low, high = curve_band(scored.labels, scored.probabilities, kind, seed=seed)
        rows.extend(
            {"name": scored.name, "kind": scored.kind, "curve": kind, "x": float(a), "y": float(b),
             "low": float(c), "high": float(d)}
            for a, b, c, d in zip(x, y, low, high, strict=True)
        )
    return rows


def calibration_rows(scored: Scored) -> list[dict[str, Any]]:
    """Compare predicted with observed shares in ten equal-width bins, pooled over seeds.

    The interval is Wilson's (1927, doi:10.1080/01621459.1927.10502953) for the mean number of items
    a fit puts in the bin, so that more seeds do not make it look surer.
    """
    parts = [confidence(scored.labels, scores) for scores in scored.probabilities]
    predicted = np.concatenate([part[0] for part in parts])
    happened = np.concatenate([part[1] for part in parts])
    bins = bin_of(predicted)
    rows = []
    for index in range(N_BINS):
        inside = bins == index
        if not inside.any():
            continue
        n = max(1, round(int(inside.sum()) / len(parts)))
        observed = float(happened[inside].mean())
        low, high = wilson(observed, n)
        rows.append({
            "name": scored.name, "kind": scored.kind, "predicted": float(predicted[inside].mean()),
            "observed": observed, "low": low, "high": high, "n": n,
        })
    return rows


def wilson(share: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Give the Wilson interval of a share of n items.

    >>> [round(limit, 3) for limit in wilson(0.5, 10)]
    [0.237, 0.763]
    """
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def verdict(
    scored: Sequence[Scored], *, chosen: str | None = None, n_resamples: int = 1000, seed: int = 0
) -> str:
    """Say in one sentence whether the model beats the strongest baseline.

    The paired interval of the difference in AUROC decides. The strongest baseline is the one of
    highest mean AUROC on the test items, which favours the baselines. Without a model, the
    baseline to beat is named.

    Parameters
    ----------
    scored : sequence of Scored
        Models and baselines on the same test items.
    chosen : str, optional
        Name of the model that validation items chose; needed when there are several, since the
        test items must not choose one. The sentence then says "It", for the caller has named it.
    n_resamples, seed : int
        Of the bootstrap of the difference.
    """
    known = [one for one in scored if np.isfinite(_mean_auroc(one))]
    models = [one for one in known if one.kind == "model" and chosen in (None, one.name)]
    assert len({one.name for one in models}) < 2, "validation chooses one of several models"
    baselines = sorted((one for one in known if one.kind == "baseline"), key=_mean_auroc)
    if not baselines:
        return "There is no baseline to compare with."
    best = baselines[-1]
    if not models:
        return f"The strongest baseline is {best.name} (AUROC {_mean_auroc(best):.3f}); a model has to beat it."
    gain = bootstrap_difference(best.labels, models[0].probabilities, best.probabilities, "auroc", n_resamples, seed)
    word = "beats" if gain.low > 0 else "is beaten by" if gain.high < 0 else "is no better than"
    subject = models[0].name if chosen is None else "It"
    return (
        f"{subject} {word} the strongest baseline, {best.name}: AUROC difference {gain.value:+.3f} "
        f"(95% {gain.low:+.3f} to {gain.high:+.3f})."
    )


def _mean_auroc(scored: Scored) -> float:
    return float(np.mean([measure("auroc", scored.labels, scores) for scores in scored.probabilities]))
