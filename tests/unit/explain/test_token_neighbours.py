"""Nearest neighbours against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from lingome.explain.token_neighbours import nearest_tokens, neighbour_table, strongest_correlations


@pytest.mark.parametrize("n", [3, 40, 700])  # 700 is more than a block of rows
def test_neighbours_are_those_of_brute_force(n: int) -> None:
    random = np.random.default_rng(n)
    table = random.normal(size=(n + 5, 7)).astype(np.float32)
    chosen = np.sort(random.permutation(n + 5)[:n])
    found, cosines = nearest_tokens(table, chosen, 10)
    assert found.shape == cosines.shape == (n, min(10, n - 1))
    for row in (0, n // 2, n - 1):
        mine = table[chosen[row]].astype(float)
        others = [
            (-float(mine @ table[i]) / float(np.linalg.norm(mine) * np.linalg.norm(table[i].astype(float))), i)
            for i in chosen.tolist() if i != chosen[row]
        ]
        expected = sorted(others)[:10]
        assert found[row].tolist() == [i for _, i in expected]
        assert np.allclose(cosines[row], [-value for value, _ in expected], atol=1e-6)


def test_ties_keep_the_order_and_zeros_are_like_nothing() -> None:
    table = np.array([[1, 0], [2, 0], [3, 0], [0, 0]], dtype=np.float32)
    found, cosines = nearest_tokens(table, np.arange(4), 3)
    assert found.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert cosines[0].tolist() == [1, 1, 0]
    assert cosines[3].tolist() == [0, 0, 0]


def test_one_token_has_no_neighbours() -> None:
    assert nearest_tokens(np.ones((6, 2)), np.array([5]))[0].shape == (1, 0)


def test_rows_name_tokens_by_rank() -> None:
    rows = [{"id": 5, "token": "A"}, {"id": 7, "token": "TT"}]
    table = np.zeros((8, 2), dtype=np.float32)
    table[5], table[7] = (1, 0), (-1, 0)
    assert neighbour_table(table, rows) == [
        {"token": "A", "rank": 1, "neighbour": "TT", "cosine": -1.0},
        {"token": "TT", "rank": 1, "neighbour": "A", "cosine": -1.0},
    ]


def test_the_strongest_correlation_of_each_axis_is_kept() -> None:
    rows = [{"axis": "PC1", "correlation": 0.2}, {"axis": "PC1", "correlation": -0.7},
            {"axis": "PC2", "correlation": 0.1}]
    assert strongest_correlations(rows) == rows[1:]
