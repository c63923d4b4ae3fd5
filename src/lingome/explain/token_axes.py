"""What do the vectors of tokens vary along?

GROVER's authors found that the first components of its token embeddings follow frequency, GC
content, AG content, length and AC content (Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0);
here are the components and the same correlations for any table of token vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import DataError
from lingome.explain.embeddings import principal_components, spearman
from lingome.tokens.alphabet import DNA

TOKEN_MAP_COLUMNS = ("id", "token", "pc1", "pc2", "count", "gc", "length_bp", "ag", "ac")
TOKEN_AXES_COLUMNS = ("axis", "variance", "correlates_with", "correlation")


class TokenAxes(NamedTuple):
    """Principal components of token vectors.

    Parameters
    ----------
    map_rows : list of dict
        Rows of the table ``token_map``, one per token: columns `TOKEN_MAP_COLUMNS`.
    axis_rows : list of dict
        Rows of the table ``token_axes``, one per component and property: columns `TOKEN_AXES_COLUMNS`.
    """

    map_rows: list[dict[str, Any]]
    axis_rows: list[dict[str, Any]]


def letter_share(token: str, letters: str) -> float | None:
    """Compute the share of some letters in a token; None if the token is no DNA.

    >>> letter_share("ATTC", "CG"), letter_share("ATTC", "AG"), letter_share("MK", "CG")
    (0.25, 0.25, None)
    """
    if not token or not DNA.has(token):
        return None
    return sum(token.count(letter) for letter in letters) / len(token)


def token_components(vectors: np.ndarray, rows: Sequence[Mapping[str, Any]], n_components: int = 6) -> TokenAxes:
    """Find the principal components of token vectors, and what each goes along with.

    Left out are tokens without a row (special tokens have none), tokens that never occur
    (``count`` is 0), and tokens whose vector holds a number that is not finite.

    Parameters
    ----------
    vectors : ndarray of float, shape (V, D)
        One vector an id.
    rows : sequence of mapping
        Rows of `explain.vocabulary.vocabulary_table`: ``id``, ``token``, ``length_bp``, ``count``.
    n_components : int
        Components wanted; fewer are given where there are fewer tokens or dimensions.

    Returns
    -------
    TokenAxes
        ``variance`` is the share of the total variance along a component, 0..1; ``correlation``
        Spearman's, -1..1, over tokens, of the position on the component with the token's count
        (``frequency``), its share of G and C, of A and G, of A and C, and its length. A property
        that is not known or does not vary has no row. Signs of components are arbitrary.

    Raises
    ------
    DataError
        If fewer than two tokens or dimensions are left.
    """
    kept = [row for row in rows if row.get("count") != 0 and bool(np.isfinite(vectors[row["id"]]).all())]
    found = np.asarray(vectors)[[row["id"] for row in kept]].reshape(len(kept), -1)
    n_components = min(n_components, *found.shape)
    if n_components < 2:
        raise DataError(
            "too few token vectors for principal components", got=f"{len(kept)} used tokens of {vectors.shape[1]} "
            "numbers", expected="at least 2 of both", hint="count tokens on more sequence",
        )
    components = principal_components(found, n_components)
    map_rows = [
        {
            "id": row["id"], "token": row["token"], "pc1": float(place[0]), "pc2": float(place[1]),
            "count": row.get("count"), "gc": letter_share(row["token"], "CG"), "length_bp": row["length_bp"],
            "ag": letter_share(row["token"], "AG"), "ac": letter_share(row["token"], "AC"),
        }
        for row, place in zip(kept, components.positions, strict=True)
    ]
    properties = (
        ("frequency", "count"), ("GC content", "gc"), ("AG content", "ag"), ("AC content", "ac"),
        ("length", "length_bp"),
    )
    axis_rows = []
    for number, share in enumerate(components.variance, start=1):
        for name, column in properties:
            if any(row[column] is None for row in map_rows):
                continue
            values = np.array([row[column] for row in map_rows], dtype=np.float64)
            correlation = spearman(components.positions[:, number - 1], values)
            if np.isfinite(correlation):
                axis_rows.append({
                    "axis": f"PC{number}", "variance": float(share), "correlates_with": name,
                    "correlation": correlation,
                })
    return TokenAxes(map_rows, axis_rows)
