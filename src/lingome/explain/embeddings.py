"""What do embeddings of sequences vary along?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.data.examples import Examples
from lingome.data.sequence import gc_content
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.reading.pieces import cut_to_fit
from lingome.tokens.tokenizer import Tokenizer
from lingome.tune.predict import run_batches, softmax


class Components(NamedTuple):
    """Principal components of N vectors.

    Parameters
    ----------
    positions : ndarray of float64, shape (N, K)
        Where each vector lies on each axis, centred.
    axes : ndarray of float64, shape (K, D)
        Unit vectors, the one of largest variance first; of each, the entry largest in size is
        positive, so that signs do not depend on the library.
    variance : ndarray of float64, shape (K,)
        Share of the total variance along each axis, 0..1.
    """

    positions: np.ndarray
    axes: np.ndarray
    variance: np.ndarray


def principal_components(vectors: np.ndarray, n_components: int = 2) -> Components:
    """Find the axes along which vectors vary most, by singular values of the centred matrix.

    Parameters
    ----------
    vectors : ndarray of float, shape (N, D)

    Raises
    ------
    DataError
        If there are fewer vectors or dimensions than components.

    References
    ----------
    Pearson 1901, DOI 10.1080/14786440109462720.
    """
    n_vectors, n_dimensions = vectors.shape
    if min(n_vectors, n_dimensions) < n_components:
        raise DataError(
            "too few embeddings for principal components", got=f"{n_vectors} vectors of {n_dimensions} numbers",
            expected=f"at least {n_components} of both",
        )
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, scales, axes = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    signs[signs == 0] = 1.0
    total = float((scales**2).sum())
    variance = scales**2 / total if total else np.zeros_like(scales)
    kept = slice(n_components)
    return Components((left * scales * signs)[:, kept], (axes * signs[:, None])[kept], variance[kept])


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Compute Spearman's rank correlation, -1..1, ties sharing their mean rank; NaN if one is constant.

    Parameters
    ----------
    one, other : ndarray, shape (N,)
        Values of the same N items.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (np.asarray(one), np.asarray(other))]
    scale = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum() / scale) if scale else float("nan")


def map_rows(
    examples: Examples, positions: np.ndarray, probabilities: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """Give rows of the table ``embedding_map``.

    Parameters
    ----------
    examples : Examples
        N examples.
    positions : ndarray, shape (N, 2)
        Of `principal_components`.
    probabilities : ndarray, shape (N,), optional
        Of class 1, as predicted.
    """
    rows = []
    for index, name in enumerate(examples.ids):
        place = examples.intervals[index] if examples.intervals is not None else None
        label = int(examples.labels[index])
        rows.append({
            "id": name,
            "pc1": float(positions[index, 0]),
            "pc2": float(positions[index, 1]),
            "label": examples.label_names[label] if label >= 0 else None,
            "split": str(examples.splits[index]),
            "chrom": place.chrom if place else None,
            "start": place.start if place else None,
            "end": place.end if place else None,
            "probability": float(probabilities[index]) if probabilities is not None else None,
        })
    return rows


def axis_rows(examples: Examples, components: Components) -> list[dict[str, Any]]:
    """Give rows of the table ``embedding_axes``: what each axis goes along with, by Spearman.

    Compared are GC content, the length and every number known of the examples (motif score), and,
    with two classes, the label; what is constant is left out.
    """
    known: dict[str, np.ndarray] = {
        "GC content": np.array([gc_content(sequence) for sequence in examples.sequences]),
        "length": np.array([len(sequence) for sequence in examples.sequences], dtype=np.float64),
        **_columns(examples.columns),
    }
    if len(examples.label_names) == 2:
        known["label"] = examples.labels.astype(np.float64)
    rows = []
    for number, share in enumerate(components.variance, start=1):
        for name, values in known.items():
            usable = np.isfinite(values) if name != "label" else values >= 0
            correlation = spearman(components.positions[usable, number - 1], values[usable])
            if np.isfinite(correlation):
                rows.append({
                    "axis": f"PC{number}", "variance": float(share), "correlates_with": name,
                    "correlation": correlation,
                })
    return rows


def _columns(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank from 0, equal values sharing the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: np.ndarray = (last - (counts + 1) / 2)[inverse]
    return ranks


def write_map(run: RunDir, examples: Examples, model: SequenceClassifier, tokenizer: Tokenizer) -> None:
    """Write ``embedding_map`` and ``embedding_axes`` of examples, as a classifier sees them.

    Parameters
    ----------
    run : RunDir
        Where the tables go; of fewer than two examples there is no map.
    examples : Examples
        Usually the test examples; those longer than the context are cut at its end.
    model : SequenceClassifier
        Gives the embeddings and, of two classes, the probability of the second.
    tokenizer : Tokenizer
        The model's own.
    """
    ids = cut_to_fit(tokenizer, examples.sequences, model.config.max_positions, "truncate").ids
    pooled = run_batches(model, tokenizer, ids, output="features")
    chances = softmax(run_batches(model, tokenizer, ids))
    if len(examples) < 2:
        return
    components = principal_components(pooled, 2)
    two = chances.shape[1] == 2
    run.write_table("embedding_map", map_rows(examples, components.positions, chances[:, 1] if two else None))
    run.write_table("embedding_axes", axis_rows(examples, components))
