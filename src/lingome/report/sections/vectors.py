"""The section on static vectors: nearest neighbours, and the axes beside a control."""

from __future__ import annotations

from collections.abc import Sequence

from lingome.report.blocks import Block, Row, Section, digits, grid_of
from lingome.report.tables import Tables

AT_MOST_TOKENS = 1000
SHOWN = 5


def vectors_section(tables: Tables) -> Section:
    """Show the nearest neighbours of each token, frequent ones first, and what a control's axes look like."""
    blocks: list[Block] = []
    counts = {row["token"]: row["count"] or 0 for row in tables.get("vocabulary", [])}
    near: dict[str, list[Row]] = {}
    for row in tables["neighbours"]:
        near.setdefault(row["token"], []).append(row)
    ordered = sorted(near, key=lambda token: -counts.get(token, 0))[:AT_MOST_TOKENS]
    shown = []
    for token in ordered:
        closest = sorted(near[token], key=lambda row: float(row["rank"]))[:SHOWN]
        names = ", ".join(f"{row['neighbour']} ({digits(row['cosine'], 2)})" for row in closest)
        shown.append({"token": token, "count": counts.get(token), "neighbours": names})
    few = f"The {len(ordered):,} most frequent of {len(near):,}. " if len(near) > len(ordered) else ""
    blocks.append(grid_of(
        shown, {"token": "token", "count": "count", "neighbours": "nearest tokens (cosine)"},
        title="Nearest neighbours", search=True, note=f"{few}All are in tables/neighbours.tsv.",
    ))
    if "token_axes_control" in tables:
        blocks.append(_beside_control(tables.get("token_axes", []), tables["token_axes_control"]))
    return Section("vectors", "Vectors of tokens", blocks)


def _beside_control(axes: Sequence[Row], control: Sequence[Row]) -> Block:
    """Set the largest correlation of each axis beside that of the control."""
    columns = {"axis": "axis", "variance": "share of variance", "follows": "follows", "correlation": "rank correlation",
               "control_variance": "control: share of variance", "control": "control: largest rank correlation"}
    bare = _largest(control)
    rows = [
        {**row, "follows": row["correlates_with"], "control_variance": bare.get(axis, {}).get("variance"),
         "control": bare.get(axis, {}).get("correlation")}
        for axis, row in _largest(axes).items()
    ]
    kind = next((str(row["control"]) for row in control if row["control"]), "random")
    meaning = {"random": "random numbers", "shuffled": "vectors trained on the same tokens in random order"}
    return grid_of(rows, columns, title="The axes beside a control", note=f"Control: {meaning.get(kind, kind)}.")


def _largest(rows: Sequence[Row]) -> dict[str, Row]:
    """Give the row of each axis whose correlation is largest in size."""
    found: dict[str, Row] = {}
    for row in rows:
        value = row["correlation"]
        if value is not None and (row["axis"] not in found or abs(value) > abs(found[row["axis"]]["correlation"])):
            found[row["axis"]] = row
    return found
