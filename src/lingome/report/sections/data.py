"""Where the data come from: inputs, splits along their chromosomes, and the leak check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lingome.report.blocks import Block, Figure, Row, Section, grid_of, number
from lingome.report.charts import maps
from lingome.report.tables import Tables


def data_section(tables: Tables) -> Section:
    """Show inputs, the splits along their chromosomes, and the leak check."""
    blocks: list[Block] = []
    if "data" in tables:
        rows = [{**row, "sha256": (row["sha256"] or "")[:12] or None} for row in tables["data"]]
        columns = {"name": "name", "what": "what", "file": "file", "records": "records", "size": "size", "unit": "unit",
                   "licence": "licence", "sha256": "sha256 (start)", "note": "note"}
        blocks.append(grid_of(rows, columns, title="Inputs"))
    if "splits" in tables:
        blocks += _splits(tables["splits"])
    if "leaks" in tables:
        columns = {"check": "check", "pair": "between", "n": "found", "share": "share", "verdict": "verdict",
                   "what": "meaning"}
        blocks.append(grid_of(tables["leaks"], columns, title="Do the splits leak into each other?"))
    return Section("data", "Data and lineage", blocks)


def _splits(rows: Sequence[Row]) -> list[Block]:
    columns = {"split": "split", "chrom": "chromosome", "start": "start", "end": "end", "n": "windows",
               "n_positive": "positive"}
    grid = grid_of(rows, columns)
    placed = [row for row in rows if None not in (row["chrom"], row["start"], row["end"])]
    if not placed:
        return [grid_of(rows, columns, title="Splits")]
    totals = Counter[str]()
    for row in rows:
        totals[row["split"]] += row["n"]
    named = ", ".join(f"{number(count)} {name}" for name, count in totals.items())
    chroms = len({row["chrom"] for row in placed})
    title = f"{named} windows lie in separate {'blocks' if chroms == 1 else 'parts of the genome'}"
    text = f"Strip drawing of {chroms} chromosome{'s' if chroms > 1 else ''}: " + "; ".join(
        f"{row['split']} {row['chrom']}:{number(row['start'])}-{number(row['end'])}, {number(row['n'])} windows"
        for row in placed[:60]) + "."
    return [Figure("splits", title, text, maps.splits_chart(placed), grid,
                   note="Gaps between blocks keep neighbours apart.")]
