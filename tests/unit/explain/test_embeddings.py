"""Principal components and rank correlation, against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from lingome.core.errors import DataError
from lingome.data.examples import Examples
from lingome.data.interval import Interval
from lingome.explain.embeddings import axis_rows, map_rows, principal_components, spearman


def test_components_are_those_of_scikit_learn_up_to_sign():
    vectors = np.random.default_rng(0).normal(size=(50, 8)) @ np.diag([5, 3, 2, 1, 1, 0.5, 0.2, 0.1]) + 4
    ours, theirs = principal_components(vectors, 3), PCA(3).fit(vectors)
    assert np.allclose(ours.variance, theirs.explained_variance_ratio_)
    assert np.allclose(np.abs(ours.axes), np.abs(theirs.components_))
    assert np.allclose(ours.positions, (vectors - vectors.mean(0)) @ ours.axes.T)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in ours.axes)


def test_points_on_a_line_by_hand():
    # (0,0), (3,4), (6,8): all variance along (0.6, 0.8), at -5, 0, 5 from the middle.
    found = principal_components(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]), 2)
    assert np.allclose(found.axes[0], [0.6, 0.8])
    assert np.allclose(found.positions[:, 0], [-5, 0, 5])
    assert np.allclose(found.variance, [1, 0])
    with pytest.raises(DataError, match="too few embeddings"):
        principal_components(np.zeros((1, 4)), 2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=40))
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]):
    one, other = np.array(pairs).T
    if len(set(one.tolist())) == 1 or len(set(other.tolist())) == 1:
        assert np.isnan(spearman(one, other))
    else:
        assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)


def test_rows_say_what_axes_go_along_with():
    sequences = ["AAAA", "AAGA", "AGGA", "GGGA", "GGGG"]
    examples = Examples(
        sequences, np.array([0, 0, 1, 1, -1]), np.full(5, "test", dtype=object), list("abcde"),
        [Interval("chr1", i, i + 4) for i in range(5)], columns={"motif score": np.array([5.0, 4, 3, 2, 1])},
    )
    vectors = np.array([[0.0, 0.1], [1.0, 0.0], [2.0, 0.1], [3.0, 0.0], [4.0, 0.1]])
    components = principal_components(vectors, 2)
    rows = {(row["axis"], row["correlates_with"]): row["correlation"] for row in axis_rows(examples, components)}
    assert rows["PC1", "GC content"] == pytest.approx(1)
    assert rows["PC1", "motif score"] == pytest.approx(-1)
    # Labels of four examples, ranks (1.5, 1.5, 3.5, 3.5) against 1..4: 4 / sqrt(5 * 4), by hand.
    assert rows["PC1", "label"] == pytest.approx(4 / np.sqrt(20))
    assert ("PC1", "length") not in rows
    shown = map_rows(examples, components.positions, np.linspace(0, 1, 5))
    assert shown[0] == {
        "id": "a", "pc1": pytest.approx(-2, abs=0.01), "pc2": shown[0]["pc2"], "label": "0", "split": "test",
        "chrom": "chr1", "start": 0, "end": 4, "probability": 0.0,
    }
    assert shown[4]["label"] is None
