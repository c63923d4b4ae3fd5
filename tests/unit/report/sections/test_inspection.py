"""What the sections on tokens say is what their tables hold: values worked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lingome.core.rundir import RunDir
from lingome.report.blocks import Figure, Grid, Section
from lingome.report.page import render, spec_of, still
from lingome.report.sections.inspection import (
    annotation_section,
    inspection_cards,
    tokens_section,
    tree_rows,
    tree_section,
)
from lingome.report.sections.overview import build_sections
from lingome.report.sections.token_vectors import similarity_section, token_axes_section
from lingome.report.tables import read_tables


def figures(section: Section) -> dict[str, Figure]:
    return {block.key: block for block in section.blocks if isinstance(block, Figure)}


def token(index: int, name: str, count: int, reverse: int, **more: Any) -> dict[str, Any]:
    both = count + reverse
    row = {
        "id": index, "token": name, "length_bp": len(name), "count": count, "frequency": count / 1000,
        "gc": sum(letter in "CG" for letter in name) / len(name), "ag": 0.5, "ac": 0.5, "count_reverse": reverse,
        "strand_bias": (count - reverse) / both if both else None, "palindrome": 0, "rank": None, "left": None,
        "right": None, "pair_count": None, "margin": None,
    }
    return {**row, **more}


TOKENS = [token(5, "A", 400, 400), token(6, "GC", 400, 300), token(7, "TTTT", 200, 205), token(8, "C", 0, 0)]
TREE = [
    {"token": name, "parent_left": left, "parent_right": right, "rank": rank, "depth": depth, "n_descendants": made}
    for name, left, right, rank, depth, made in (
        ("A", None, None, None, 0, 2), ("T", None, None, None, 0, 3), ("TT", "T", "T", 1, 1, 1),
        ("TA", "T", "A", 2, 1, 0), ("ATT", "A", "TT", 3, 2, 0),
    )
]


def test_the_text_is_summed_up():
    drawn = figures(tokens_section({"tokens": TOKENS}))
    # (400 x 1 + 400 x 2 + 200 x 4) / 1000 letters a token; two of four tokens have one letter.
    assert drawn["token-lengths"].title == (
        "A token has 2.00 letters on average; the commonest length in the vocabulary is 1 (50%)"
    )
    assert drawn["token-ranks"].title == "2 of 3 tokens make half of the text"
    assert drawn["token-content"].title == "Tokens are 33% G or C on average; weighted by use, 40%"
    # Bounds of chance: 1.96 / sqrt(800), / sqrt(700) and / sqrt(405); only GC, at 100 / 700, lies beyond.
    assert drawn["token-strands"].title.startswith("1 of 3 tokens (33%) favour a strand more than chance would")
    assert inspection_cards({"tokens": TOKENS})[:2] == [
        ("vocabulary", "4 tokens", "3 of them occur"), ("letters of a token", "2.00", "on average; the longest has 4"),
    ]
    assert inspection_cards({}) == []


def test_tokens_far_rarer_than_the_commonest_are_named_and_not_drawn():
    many = [token(5, "A", 3_000_000, 3_000_000), token(6, "GC", 1000, 1100), token(7, "T", 1, 0)]
    drawn = figures(tokens_section({"tokens": many}))
    assert drawn["token-strands"].note.endswith("Not drawn, 10,000 times rarer than the commonest: T.")
    assert len(drawn["token-ranks"].numbers.rows) == 2


def test_protein_has_no_strand_figure_and_no_empty_column():
    none = {"gc": None, "ag": None, "ac": None, "count_reverse": None, "strand_bias": None, "palindrome": None}
    section = tokens_section({"tokens": [token(5, "M", 4, 0, **none), token(6, "KL", 2, 0, **none)]})
    assert set(figures(section)) == {"token-lengths", "token-ranks"}
    grid = next(block for block in section.blocks if isinstance(block, Grid))
    assert grid.columns == ["token", "length", "occurrences", "share (%)"]


def annotated(name: str, count: int, inside: int) -> dict[str, Any]:
    share = inside / count if count else None
    return {"annotation": "repeats", "id": 5, "token": name, "count": count, "inside": inside, "share": share,
            "baseline": 0.25, "ratio": None if share is None else share / 0.25}


def test_enrichment_leaves_rare_tokens_out():
    rows = [annotated("A", 1000, 250), annotated("GC", 400, 300), annotated("TT", 200, 0), annotated("C", 9, 9)]
    figure = figures(annotation_section({"token_annotation": rows}))["annotation-1"]
    assert figure.title == "GC lies in repeats 3x as often as all bases do; TT never"
    assert [line[0] for line in figure.numbers.rows] == ["GC", "A", "TT"]
    assert "25.00% of all bases lie in repeats" in figure.note
    few = annotation_section({"token_annotation": rows[-1:]})
    assert isinstance(few.blocks[0], Grid)


def test_a_tree_is_laid_out_depth_first_without_shared_rows():
    rows = tree_rows(TREE, {"ATT": 0.5, "TA": 0.3, "TT": 0.2})
    assert [row["token"] for row in rows] == ["A", "ATT", "T", "TA", "TT"]
    assert [row["row"] for row in rows] == [0, 1, 2, 3, 4]
    by_token = {row["token"]: row for row in rows}
    assert (by_token["TT"]["from_row"], by_token["TT"]["from_rank"], by_token["TT"]["rank"]) == (2, 0.5, 1)
    assert by_token["ATT"]["label"] == "ATT = A + TT"
    assert by_token["A"]["from_row"] is None
    figure = figures(tree_section({"merge_tree": TREE}))["merge-tree"]
    assert figure.title == "The longest chain of merges has 2, up to ATT; 1 of 5 tokens were made with TT"
    assert "<svg" in still("tree", spec_of(figure))


AXES = [
    {"axis": axis, "variance": variance, "correlates_with": name, "correlation": value}
    for axis, variance, name, value in (
        ("PC1", 0.3, "frequency", 0.9), ("PC1", 0.3, "length", 0.1), ("PC2", 0.1, "frequency", -0.2),
        ("PC2", 0.1, "length", -0.25),
    )
]


def test_axes_are_named_by_what_they_follow():
    places = [{"id": i, "token": "ACG"[i], "pc1": i, "pc2": -i, "count": i + 1, "gc": 0.5, "length_bp": 1, "ag": 0.5,
               "ac": 0.5} for i in range(3)]
    random = [{**row, "correlation": row["correlation"] / 10} for row in AXES]
    drawn = figures(token_axes_section({"token_map": places, "token_axes": AXES, "token_axes_random": random}))
    assert drawn["token-map"].title == "PC1 of the token vectors follows frequency (rank correlation 0.90)"
    assert drawn["token-axes-figure"].title == "Going together: frequency with PC1 (0.90)"
    assert "none of them is above 0.09" in drawn["token-axes-figure"].note
    for key, figure in drawn.items():
        assert "<svg" in still(key, spec_of(figure))


def test_self_similarity_is_told_beside_any_two_vectors():
    rows = [
        {"id": 5 + i, "token": name, "layer": layer, "n": 20, "self_similarity": 1 - layer * drop, "baseline": 0.1,
         "random_weights": 1.0, "random_baseline": 0.0}
        for i, (name, drop) in enumerate((("A", 0.1), ("CC", 0.2), ("GGG", 0.4))) for layer in (0, 1)
    ]
    drawn = figures(similarity_section({"self_similarity": rows}))
    assert drawn["self-similarity-layers"].title == (
        "From layer 0 to 1, a token's self-similarity goes from 1.00 to 0.80 (median); that of any two vectors "
        "is 0.10 there"
    )
    assert drawn["self-similarity-tokens"].title == "A depends on its context least, GGG most"
    for key, figure in drawn.items():
        assert "<svg" in still(key, spec_of(figure))


def test_each_table_stands_alone_and_hostile_text_stays_text(tmp_path: Path):
    evil = "</script><script>alert(1)</script>"
    odd = [{**row, "token": evil} for row in (TOKENS[0], TREE[0])]
    tables = {
        "tokens": [*TOKENS, {**odd[0], "id": 9}], "merge_tree": [*TREE, odd[1], {**TREE[2], "token": "lost",
                                                                                   "parent_left": "gone"}],
        "token_annotation": [{**annotated(name, 200, inside), "annotation": evil} for name, inside in
                             (("A", 3), (evil, 150), ("CC", 0))],
        "token_axes": AXES,
        "token_map": [{"id": 5, "token": evil, "pc1": 1.0, "pc2": 0.0, "count": 3, "gc": None, "length_bp": 1},
                      {"id": 6, "token": "A", "pc1": 0.0, "pc2": 1.0, "count": 1, "gc": None, "length_bp": 1}],
        "self_similarity": [{"id": 5, "token": evil, "layer": 0, "n": 9, "self_similarity": 0.5, "baseline": None}],
    }
    sections = {"tokens": "tokens", "merge_tree": "tree", "token_annotation": "annotation", "token_map": "token-axes",
                "self_similarity": "self-similarity", "token_axes": ""}
    for name, rows in tables.items():
        with RunDir.create(tmp_path / name) as run:
            run.write_table(name, rows)
            run.write_lineage({})
            found = {section.key for section in build_sections(read_tables(run), [], {}, "") if section.blocks}
            assert found - {"methods"} == {sections[name]} - {""}
    with RunDir.create(tmp_path / "all") as run:
        for name, rows in tables.items():
            run.write_table(name, rows)
        run.write_lineage({})
        text = render(run)
    assert "alert(1)" in text
    assert "<script>alert" not in text
