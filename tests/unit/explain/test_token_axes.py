"""Principal components of token vectors and what they go along with, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from lingome.core.errors import DataError
from lingome.explain.token_axes import TOKEN_AXES_COLUMNS, TOKEN_MAP_COLUMNS, letter_share, token_components
from lingome.explain.vocabulary import vocabulary_table
from lingome.tokens.bpe import BpeTokenizer

# Ids 0-4 special, A C G T, then TT, ATT, GG.
TOKENIZER = BpeTokenizer([(8, 8), (5, 9), (7, 7)])


def test_axes_follow_what_the_vectors_were_made_of():
    counts = np.array([9, 9, 9, 9, 9, 50, 40, 30, 20, 10, 5, 0])
    rows = vocabulary_table(TOKENIZER, counts)
    vectors = np.full((12, 3), np.nan)  # special tokens are never looked at, nor is GG, which does not occur
    vectors[5:11] = [[5, 0, 0], [4, 1, 0], [3, 1, 0], [2, 0, 0], [1, 0, 0], [0, 0, 0]]
    axes = token_components(vectors, rows, 6)
    assert [row["token"] for row in axes.map_rows] == ["A", "C", "G", "T", "TT", "ATT"]
    assert all(tuple(row) == TOKEN_MAP_COLUMNS for row in axes.map_rows)
    assert all(tuple(row) == TOKEN_AXES_COLUMNS for row in axes.axis_rows)
    found = {(row["axis"], row["correlates_with"]): row["correlation"] for row in axes.axis_rows}
    assert found["PC1", "frequency"] == pytest.approx(1)
    # Lengths of A C G T TT ATT are 1 1 1 1 2 3, and PC1 falls from A to ATT.
    assert found["PC1", "length"] == pytest.approx(spearmanr([5, 4, 3, 2, 1, 0], [1, 1, 1, 1, 2, 3]).statistic)
    assert found["PC2", "GC content"] == pytest.approx(1, abs=0.2)
    assert {row["correlates_with"] for row in axes.axis_rows} == {
        "frequency", "GC content", "AG content", "AC content", "length",
    }
    assert sum({row["axis"]: row["variance"] for row in axes.axis_rows}.values()) == pytest.approx(1)


def test_what_is_not_known_has_no_row():
    rows = vocabulary_table(TOKENIZER)  # never counted: all tokens are kept, frequency is not compared
    axes = token_components(np.random.default_rng(0).normal(size=(12, 4)), rows, 2)
    assert len(axes.map_rows) == 7
    assert {row["axis"] for row in axes.axis_rows} == {"PC1", "PC2"}
    assert "frequency" not in {row["correlates_with"] for row in axes.axis_rows}
    protein = [{"id": i, "token": token, "length_bp": 1, "count": i + 1} for i, token in enumerate("MKL")]
    axes = token_components(np.random.default_rng(0).normal(size=(3, 4)), protein)
    assert {row["correlates_with"] for row in axes.axis_rows} == {"frequency"}
    assert axes.map_rows[0]["gc"] is None
    with pytest.raises(DataError, match="too few token vectors"):
        token_components(np.zeros((3, 4)), protein[:1])


def test_shares_of_letters_by_hand():
    assert [letter_share("AAGC", letters) for letters in ("CG", "AG", "AC")] == [0.5, 0.75, 0.75]
    assert letter_share("ACN", "CG") is None
