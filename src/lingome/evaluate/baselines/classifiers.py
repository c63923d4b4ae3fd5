"""What a task gives away without a language model: the methods every result stands beside.

Majority class, each known number of an example alone (a motif score), GC content, and TF-IDF of
k-mers and of tokens with logistic regression and with a random forest: the frequency controls of
GROVER (Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0), which explain much of the popular
benchmarks. None of them sees the order of its words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.core.seeds import derive_seed
from lingome.data.examples import Examples
from lingome.evaluate.baselines.features import gc_share, kmer_counts, token_counts
from lingome.evaluate.measures.metrics import best_threshold
from lingome.evaluate.measures.scores import Scored
from lingome.tokens.tokenizer import Tokenizer

STRENGTHS = (1.0, 10.0, 100.0)
_DENSE_CELLS = 60_000_000
N_JOBS = 2


@dataclass(frozen=True)
class Parts:
    """Features (rows by split) and labels of one task; `valid` may be empty."""

    train_x: Any
    valid_x: Any
    test_x: Any
    train_y: np.ndarray
    valid_y: np.ndarray
    n_classes: int

    def with_features(self, train: Any, valid: Any, test: Any) -> Parts:
        """Give the same labels with other features."""
        return Parts(train, valid, test, self.train_y, self.valid_y, self.n_classes)


Predictions = tuple[np.ndarray, np.ndarray]


def _spread(fitted: Any, x: Any, n_classes: int) -> np.ndarray:
    """Give probabilities over all classes, (N, C), also of those absent from training."""
    full = np.zeros((x.shape[0], n_classes))
    if x.shape[0]:
        full[:, fitted.classes_] = fitted.predict_proba(x)
    return full


def _fit_logistic(parts: Parts, seed: int) -> Predictions:
    """Fit by maximum likelihood with an L2 penalty whose strength is chosen on validation items."""
    best: tuple[float, Predictions] | None = None
    for strength in STRENGTHS if len(parts.valid_y) else (10.0,):
        model = LogisticRegression(C=strength, max_iter=2000)
        model.fit(parts.train_x, parts.train_y)
        valid = _spread(model, parts.valid_x, parts.n_classes)
        chosen = valid[np.arange(len(parts.valid_y)), parts.valid_y]
        loss = float(-np.log(np.maximum(chosen, 1e-12)).mean()) if len(chosen) else 0.0
        if best is None or loss < best[0]:
            best = loss, (valid, _spread(model, parts.test_x, parts.n_classes))
    assert best is not None
    return best[1]


def _fit_forest(parts: Parts, seed: int, n_trees: int) -> Predictions:
    model = RandomForestClassifier(
        n_trees, min_samples_leaf=2, n_jobs=N_JOBS, random_state=derive_seed(seed, "forest") % 2**32
    )
    model.fit(parts.train_x, parts.train_y)
    model.n_jobs = 1  # several threads would add up the trees in no fixed order, and the last bit would vary
    return (
        _spread(model, parts.valid_x, parts.n_classes),
        _spread(model, parts.test_x, parts.n_classes),
    )


def _column(part: Examples, name: str) -> np.ndarray:
    return part.columns[name]


def _majority(parts: Parts) -> Predictions:
    share = np.bincount(parts.train_y, minlength=parts.n_classes) / len(parts.train_y)
    return np.tile(share, (parts.valid_x.shape[0], 1)), np.tile(share, (parts.test_x.shape[0], 1))


def _number_features(parts: Parts, splits: Sequence[Examples], values: Callable[[Examples], np.ndarray]) -> Parts:
    """Standardise one number by the training items; unknown values take their mean."""
    columns = [np.asarray(values(part), dtype=np.float64).reshape(-1, 1) for part in splits]
    known = columns[0][np.isfinite(columns[0])]
    filler = float(known.mean()) if len(known) else 0.0
    columns = [np.where(np.isfinite(column), column, filler) for column in columns]
    scaler = StandardScaler().fit(columns[0])
    return parts.with_features(*(scaler.transform(c) if len(c) else c for c in columns))


def _tfidf_features(
    parts: Parts, splits: Sequence[Examples], count: Callable[[Sequence[str]], sparse.csr_matrix]
) -> Parts:
    """Weigh counts by inverse document frequency in training, rows of length one.

    Small tables are made dense, where trees are several times faster.
    """
    counts = [count(part.sequences) for part in splits]
    weigh = TfidfTransformer().fit(counts[0])
    features = [(weigh.transform(part) if part.shape[0] else part).astype(np.float32) for part in counts]
    return parts.with_features(*features)


def _dense_if_small(parts: Parts) -> Parts:
    if parts.train_x.shape[0] * parts.train_x.shape[1] > _DENSE_CELLS:
        return parts
    return parts.with_features(parts.train_x.toarray(), parts.valid_x.toarray(), parts.test_x.toarray())


def usable_splits(examples: Examples) -> tuple[Examples, Examples, Examples]:
    """Give the labelled training, validation and test items.

    Raises
    ------
    DataError
        If there are no training or test items, or training has one class only.
    """
    known = examples.select(np.asarray(examples.labels >= 0))
    train, valid, test = (known.split(name) for name in ("train", "valid", "test"))
    for name, part in (("train", train), ("test", test)):
        if not len(part):
            counts = Counter(str(split) or "none" for split in known.splits)
            raise DataError(
                f"no labelled {name} items", got=", ".join(f"{count:,} {split}" for split, count in counts.items()),
                hint="add a column 'split' with train, valid and test, or let lingome split at random",
            )
    if len(np.unique(train.labels)) < 2:
        raise DataError("training items are all of one class", got=np.unique(train.labels).tolist())
    return train, valid, test


def fit_baselines(
    examples: Examples,
    tokenizer: Tokenizer | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    n_trees: int = 100,
    ks: Sequence[int] = (3, 4, 5, 6),
) -> list[Scored]:
    """Fit every baseline on the training items and score the test items.

    Parameters
    ----------
    examples : Examples
        With splits; validation items, if any, choose regularisation and the MCC threshold.
    tokenizer : Tokenizer, optional
        Adds TF-IDF of its tokens.
    seeds : sequence of int
        One fit a seed where the method is random (forests); one fit otherwise.
    n_trees : int
        Trees of a forest; GROVER used 100 to 2,000.
    ks : sequence of int
        k-mers counted together.

    Returns
    -------
    list of Scored
        In order: majority class, each of ``examples.columns``, GC content, TF-IDF methods.

    Raises
    ------
    DataError
        If training or test items are missing.
    """
    splits = usable_splits(examples)
    train, valid, test = splits
    n_classes = max(len(examples.label_names), int(examples.labels.max()) + 1, 2)
    empty = [np.zeros((len(part), 1)) for part in splits]
    parts = Parts(empty[0], empty[1], empty[2], train.labels, valid.labels, n_classes)
    words: list[tuple[str, Callable[[Sequence[str]], sparse.csr_matrix]]] = [
        (f"{min(ks)}- to {max(ks)}-mers" if len(ks) > 1 else f"{ks[0]}-mers", lambda s: kmer_counts(s, ks))
    ]
    if tokenizer is not None:
        words.append((f"{tokenizer.kind} tokens", lambda s: token_counts(s, tokenizer)))
    found: list[Scored] = []

    def add(name: str, group: str, fits: list[Predictions]) -> None:
        found.append(_scored(name, group, fits, valid.labels, test.labels, n_classes))
        task.advance(1, name)

    with track("baselines", total=2 + len(examples.columns) + 2 * len(words), unit="methods") as task:
        add("majority class", "trivial", [_majority(parts)])
        numbers: list[tuple[str, Callable[[Examples], np.ndarray]]] = [
            (f"{column} alone", partial(_column, name=column)) for column in examples.columns
        ]
        for name, values in [*numbers, ("GC content", lambda part: gc_share(part.sequences))]:
            add(name, "trivial", [_fit_logistic(_number_features(parts, splits, values), 0)])
        for word, count in words:
            features = _tfidf_features(parts, splits, count)
            add(f"TF-IDF {word}, logistic regression", "word frequency", [_fit_logistic(features, 0)])
            dense = _dense_if_small(features)
            forests = [_fit_forest(dense, seed, n_trees) for seed in seeds]
            add(f"TF-IDF {word}, random forest", "word frequency", forests)
    return found


def _scored(
    name: str, group: str, fits: list[Predictions], valid_y: np.ndarray, test_y: np.ndarray, n_classes: int
) -> Scored:
    """Choose each fit's threshold on validation items, and keep class 1 alone if there are two."""
    if n_classes > 2:
        return Scored(name, "baseline", test_y, np.stack([test for _, test in fits]), group)
    thresholds = tuple(
        best_threshold(valid_y, valid[:, 1]) if len(valid_y) else 0.5 for valid, _ in fits
    )
    return Scored(name, "baseline", test_y, np.stack([test[:, 1] for _, test in fits]), group, thresholds)
