"""The section on static vectors, from tables written by hand."""

from __future__ import annotations

from typing import Any

from lingome.report.blocks import Grid
from lingome.report.sections.overview import build_sections
from lingome.report.sections.vectors import vectors_section


def tables() -> dict[str, list[dict[str, Any]]]:
    def near(token: str, rank: int, neighbour: str, cosine: float) -> dict[str, Any]:
        return {"token": token, "rank": rank, "neighbour": neighbour, "cosine": cosine}

    def axis(name: str, share: float, what: str, value: float | None, **more: str) -> dict[str, Any]:
        return {"axis": name, "variance": share, "correlates_with": what, "correlation": value, **more}

    return {
        "neighbours": [near("AT", 2, "CC", -0.5), near("AT", 1, "TT", 0.912), near("TT", 1, "AT", 0.912)],
        "token_axes": [axis("PC1", 0.2, "length", 0.1), axis("PC1", 0.2, "GC content", -0.8),
                       axis("PC2", 0.1, "length", None)],
        "token_axes_control": [axis("PC1", 0.02, "length", 0.05, control="shuffled")],
    }


def grids(found: dict[str, list[dict[str, Any]]]) -> list[Grid]:
    return [block for block in vectors_section(found).blocks if isinstance(block, Grid)]


def test_neighbours_stand_in_a_line_nearest_first_and_frequent_tokens_above() -> None:
    near, _ = grids(tables())
    assert near.search
    assert near.rows == [["AT", "TT (0.91), CC (-0.50)"], ["TT", "AT (0.91)"]]
    counted = {**tables(), "vocabulary": [{"token": "AT", "count": 3}, {"token": "TT", "count": 1200}]}
    assert grids(counted)[0].rows[0] == ["TT", "1,200", "AT (0.91)"]


def test_each_axis_stands_beside_the_control() -> None:
    _, axes = grids(tables())
    assert axes.rows == [["PC1", "0.2", "GC content", "-0.8", "0.02", "0.05"]]
    assert "random order" in axes.note
    assert len(grids({"neighbours": tables()["neighbours"]})) == 1


def test_the_section_is_on_the_page_where_its_table_is() -> None:
    assert "vectors" in [section.key for section in build_sections({"neighbours": tables()["neighbours"]}, [], {}, "")]
    assert "vectors" not in [section.key for section in build_sections({}, [], {}, "")]
