"""Which tokens have like vectors?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

NEIGHBOUR_COLUMNS = ("token", "rank", "neighbour", "cosine")


def nearest_tokens(table: np.ndarray, chosen: np.ndarray, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest neighbours of tokens by cosine, among those tokens.

    Parameters
    ----------
    table : ndarray of float, shape (V, D)
        Vectors.
    chosen : ndarray of int, shape (n,)
        Ids that are compared; the vectors of others are not looked at.
    k : int
        Neighbours of each; fewer where there are fewer tokens.

    Returns
    -------
    neighbours : ndarray of int64, shape (n, min(k, n - 1))
        Ids, the nearest first, equal ones in order of `chosen`; a token is no neighbour of itself.
    cosines : ndarray of float32, the same shape
        From -1 to 1; 0 with a vector of zeros.
    """
    vectors = np.asarray(table[chosen], dtype=np.float32)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    kept = max(0, min(k, len(chosen) - 1))
    neighbours = np.empty((len(chosen), kept), dtype=np.int64)
    cosines = np.empty((len(chosen), kept), dtype=np.float32)
    for start in range(0, len(chosen), 512):  # a block of rows at a time: large vocabularies have large squares
        rows = np.arange(start, min(start + 512, len(chosen)))
        block = unit[rows] @ unit.T
        block[np.arange(len(rows)), rows] = -np.inf
        order = np.argsort(-block, axis=1, kind="stable")[:, :kept]
        neighbours[rows] = chosen[order]
        cosines[rows] = np.take_along_axis(block, order, axis=1).clip(-1, 1)
    return neighbours, cosines


def neighbour_table(table: np.ndarray, rows: Sequence[Mapping[str, Any]], k: int = 10) -> list[dict[str, Any]]:
    """Give rows of the table ``neighbours``: the `k` nearest of each token, rank 1 first.

    Parameters
    ----------
    table : ndarray of float, shape (V, D)
        Vectors.
    rows : sequence of mapping
        Rows of `vocabulary_table` of the tokens to compare: ``id`` and ``token``.
    """
    chosen = np.array([row["id"] for row in rows], dtype=np.int64)
    names = {row["id"]: row["token"] for row in rows}
    found, cosines = nearest_tokens(table, chosen, k)
    return [
        {"token": row["token"], "rank": rank, "neighbour": names[int(other)], "cosine": float(cosine)}
        for row, others, values in zip(rows, found, cosines, strict=True)
        for rank, (other, cosine) in enumerate(zip(others, values, strict=True), start=1)
    ]


def strongest_correlations(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keep of each axis in the table ``token_axes`` the row with the correlation largest in size."""
    names = dict.fromkeys(row["axis"] for row in rows)
    return [
        dict(max((row for row in rows if row["axis"] == name), key=lambda row: abs(row["correlation"])))
        for name in names
    ]
