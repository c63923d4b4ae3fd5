"""Classification metrics, exact, with ties handled, vectorised over resamples.

Legend of shapes: N items, C classes, R resamples, G groups of equal scores.

``measure("auroc", labels, scores)`` gives one number. ``WEIGHTED["auroc"]`` takes item weights of shape (R, N), the
number of times each item was drawn in each resample, and gives R numbers at once, which is what makes a bootstrap of a
thousand resamples cheap.

With two classes, scores are the probability of class 1, shape (N,). With more, they have shape
(N, C): AUROC and AUPRC are then the plain mean over classes, each against the rest (macro
one-versus-rest), and the predicted class is the one of highest probability.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

N_BINS = 10


def _ranked(
    positive_N: np.ndarray, scores_N: np.ndarray, weights_RN: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count true and false positives above each distinct score, highest first; both (R, G)."""
    order = np.argsort(-scores_N, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores_N[order]) != 0, True))
    weights = weights_RN[:, order]
    found = np.cumsum(weights, axis=1)[:, ends].astype(np.float64)
    true = np.cumsum(weights * positive_N[order].astype(weights.dtype), axis=1)[:, ends].astype(np.float64)
    return true, found - true


def _auroc(positive_N: np.ndarray, scores_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    true, false = _ranked(positive_N, scores_N, weights_RN)
    before = np.diff(false, axis=1, prepend=0.0)
    ahead = true - 0.5 * np.diff(true, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((before * ahead).sum(axis=1) / (true[:, -1] * false[:, -1]))


def _auprc(positive_N: np.ndarray, scores_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    true, false = _ranked(positive_N, scores_N, weights_RN)
    found = np.maximum(true + false, 1e-12)
    gained = np.diff(true, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((gained * true / found).sum(axis=1) / true[:, -1])


def _one_versus_rest(
    metric: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    labels: np.ndarray,
    scores: np.ndarray,
    weights_RN: np.ndarray,
) -> np.ndarray:
    if scores.ndim == 1:
        return metric(labels == 1, scores, weights_RN)
    each = [metric(labels == c, scores[:, c], weights_RN) for c in range(scores.shape[1])]
    return np.asarray(np.mean(each, axis=0))


def predicted_class(scores: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Give the class each item is called: ``score >= threshold``, or the highest of C.

    Parameters
    ----------
    scores : ndarray of float, shape (N,) or (N, C)
        Probabilities; see the module.
    threshold : float
        An item is called class 1 when its score is at least this; unused with more than two classes.

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    if scores.ndim == 1:
        return (scores >= threshold).astype(np.int64)
    return np.asarray(scores.argmax(axis=1))


def _weighted_mcc(
    labels: np.ndarray, scores: np.ndarray, weights_RN: np.ndarray, threshold: float
) -> np.ndarray:
    """Compute the Matthews correlation coefficient, -1..1; 0 when all calls are one class.

    Matthews 1975, doi:10.1016/0005-2795(75)90109-9; for C classes the R_K of Gorodkin 2004,
    doi:10.1016/j.compbiolchem.2004.09.006, which is the same number for two.
    """
    called = predicted_class(scores, threshold)
    n_classes = max(2, scores.shape[1] if scores.ndim == 2 else 2)
    cell = np.zeros((len(labels), n_classes * n_classes), dtype=weights_RN.dtype)
    cell[np.arange(len(labels)), labels * n_classes + called] = 1
    counts = (weights_RN @ cell).astype(np.float64).reshape(-1, n_classes, n_classes)
    total = counts.sum(axis=(1, 2))
    right = np.trace(counts, axis1=1, axis2=2)
    true = counts.sum(axis=2)
    predicted = counts.sum(axis=1)
    above = right * total - (true * predicted).sum(axis=1)
    below = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return np.where(below > 0, above / np.sqrt(np.where(below > 0, below, 1.0)), 0.0)


def _weighted_auroc(
    labels: np.ndarray, scores: np.ndarray, weights_RN: np.ndarray, threshold: float
) -> np.ndarray:
    """Compute the area under the ROC curve, 0..1: the chance that a positive outranks a negative.

    A tie counts one half (Mann-Whitney U; Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747).
    NaN when only one class is present.
    """
    return _one_versus_rest(_auroc, labels, scores, weights_RN)


def _weighted_auprc(
    labels: np.ndarray, scores: np.ndarray, weights_RN: np.ndarray, threshold: float
) -> np.ndarray:
    """Compute the area under the precision-recall curve as average precision, 0..1.

    The sum over distinct scores of (gain in recall) x (precision there); no line is drawn between
    points, since precision is not linear in recall (Davis & Goadrich 2006,
    doi:10.1145/1143844.1143874). Chance level is the share of positives. NaN without positives.
    """
    return _one_versus_rest(_auprc, labels, scores, weights_RN)


def _weighted_brier(
    labels: np.ndarray, scores: np.ndarray, weights_RN: np.ndarray, threshold: float
) -> np.ndarray:
    """Compute the mean squared error of the probabilities; 0 is best.

    Two classes: mean of (p - y)^2, 0..1. More: the squares summed over classes, 0..2
    (Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
    """
    if scores.ndim == 1:
        squared = (scores - labels) ** 2
    else:
        squared = ((scores - np.eye(scores.shape[1])[labels]) ** 2).sum(axis=1)
    return np.asarray(weights_RN @ squared / weights_RN.sum(axis=1))


def _weighted_ece(
    labels: np.ndarray, scores: np.ndarray, weights_RN: np.ndarray, threshold: float
) -> np.ndarray:
    """Compute the mean gap between predicted and observed share over ten equal-width bins, 0..1.

    Bins are weighted by their items (Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602); `confidence`
    says what is predicted.
    """
    predicted, happened = confidence(labels, scores)
    member = np.zeros((len(labels), N_BINS))
    member[np.arange(len(labels)), bin_of(predicted)] = 1
    gap = weights_RN @ (member * (predicted - happened)[:, None])
    return np.asarray(np.abs(gap).sum(axis=1) / weights_RN.sum(axis=1))


Weighted = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]
WEIGHTED: dict[str, Weighted] = {
    "mcc": _weighted_mcc,
    "auroc": _weighted_auroc,
    "auprc": _weighted_auprc,
    "brier": _weighted_brier,
    "ece": _weighted_ece,
}


def confidence(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what was predicted and whether it happened, both shape (N,), for calibration.

    With two classes: the probability of class 1, and whether the item is of class 1. With more:
    the probability of the class called, and whether the call was right.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Classes, 0..C-1.
    scores : ndarray of float, shape (N,) or (N, C)
        Probabilities; see the module.
    """
    if scores.ndim == 1:
        return scores, (labels == 1).astype(np.float64)
    return scores.max(axis=1), (scores.argmax(axis=1) == labels).astype(np.float64)


def bin_of(probabilities: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """Give the equal-width bin of each probability: [0, 0.1), [0.1, 0.2), ..., [0.9, 1].

    Parameters
    ----------
    probabilities : ndarray of float, shape (N,)
    n_bins : int
        Ten by default.

    Returns
    -------
    ndarray of int64, shape (N,)
        0..n_bins - 1.
    """
    return np.clip((probabilities * n_bins).astype(np.int64), 0, n_bins - 1)


def measure(name: str, labels: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> float:
    """Compute one metric of all items, each counted once.

    Parameters
    ----------
    name : str
        One of `WEIGHTED`.
    labels : ndarray of int, shape (N,)
        Classes, 0..C-1.
    scores : ndarray of float, shape (N,) or (N, C)
        Probabilities; see the module.
    threshold : float
        An item is called class 1 when its score is at least this; only MCC of two classes depends on it.
    """
    given = np.asarray(labels, dtype=np.int64)
    each = np.asarray(scores, dtype=np.float64)
    return float(WEIGHTED[name](given, each, np.ones((1, len(given))), threshold)[0])


def curve_at(
    kind: str, positive_N: np.ndarray, scores_N: np.ndarray, weights_RN: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Read the ROC or precision-recall curve of every resample at the same points.

    ROC: true positive rate, straight between points. Precision-recall: the precision where recall
    first reaches x.

    Parameters
    ----------
    kind : {"roc", "pr"}
        Which curve.
    positive_N : ndarray of bool
        Whether each item is of the class in question.
    scores_N : ndarray of float
        Probability of that class.
    weights_RN : ndarray of float
        How often each item was drawn in each resample.
    x : ndarray of float, shape (X,)
        False positive rates, or recalls, 0..1.

    Returns
    -------
    ndarray of float64, shape (R, X)
        NaN where a resample has only one class.
    """
    true, false = _ranked(positive_N, scores_N, weights_RN)
    y = np.full((len(true), len(x)), np.nan)
    for row in range(len(true)):
        t = true[row]
        f = false[row]
        if t[-1] == 0 or f[-1] == 0:
            continue
        if kind == "roc":
            y[row] = np.interp(x, _from_zero(f / f[-1]), _from_zero(t / t[-1]))
        else:
            first = np.searchsorted(t / t[-1], np.maximum(x, 1e-9), side="left")
            y[row] = t[first] / (t[first] + f[first])
    return y


def _from_zero(values: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], values])


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Find the threshold of highest MCC; use it on validation items, never on test items.

    Candidates lie midway between neighbouring distinct scores; of equals the one nearest 0.5 wins.
    Gives 0.5 when there is only one class or more than two.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Classes, 0..C-1.
    scores : ndarray of float, shape (N,) or (N, C)
        Probabilities; see the module.
    """
    labels = np.asarray(labels, dtype=np.int64)
    scores = np.asarray(scores, dtype=np.float64)
    distinct = np.unique(scores)
    if scores.ndim > 1 or len(distinct) < 2 or len(np.unique(labels)) < 2:
        return 0.5
    true, false = _ranked(labels == 1, scores, np.ones((1, len(labels))))
    tp = true[0, :-1]
    fp = false[0, :-1]
    positive = true[0, -1]
    negative = false[0, -1]
    fn = positive - tp
    tn = negative - fp
    value = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tn + fn) * positive * negative)
    candidates = (0.5 * (distinct[:-1] + distinct[1:]))[::-1]
    best = np.flatnonzero(value >= value.max() - 1e-12)
    return float(candidates[best[np.argmin(np.abs(candidates[best] - 0.5))]])
