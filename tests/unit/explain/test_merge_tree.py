"""Descent of tokens, by hand."""

from __future__ import annotations

from lingome.explain.merge_tree import MERGE_TREE_COLUMNS, merge_tree
from lingome.tokens.bpe import BpeTokenizer


def test_depth_and_descendants_by_hand():
    # TT = T + T, TTTT = TT + TT, ATT = A + TT, ATTTTTT = ATT + TTTT, GG = G + G.
    rows = merge_tree(BpeTokenizer([(8, 8), (9, 9), (5, 9), (11, 10), (7, 7)]))
    assert all(tuple(row) == MERGE_TREE_COLUMNS for row in rows)
    by_token = {row["token"]: row for row in rows}
    assert {token: row["depth"] for token, row in by_token.items()} == {
        "A": 0, "C": 0, "G": 0, "T": 0, "TT": 1, "TTTT": 2, "ATT": 2, "ATTTTTT": 3, "GG": 1,
    }
    # TT makes TTTT, ATT and, through both of them, ATTTTTT: counted once.
    assert {token: row["n_descendants"] for token, row in by_token.items()} == {
        "A": 2, "C": 0, "G": 1, "T": 4, "TT": 3, "TTTT": 1, "ATT": 1, "ATTTTTT": 0, "GG": 0,
    }
    assert [by_token["ATTTTTT"][name] for name in ("parent_left", "parent_right", "rank")] == ["ATT", "TTTT", 4]
    assert by_token["T"]["parent_left"] is None
