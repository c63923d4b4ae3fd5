"""How long it took, how to do it again, and what the words mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lingome.report.blocks import Block, Code, Figure, Grid, Row, Section, Words, duration, grid_of
from lingome.report.charts import results as charts
from lingome.report.sections.terms import TERMS
from lingome.report.tables import Tables


def steps_section(rows: Sequence[Row]) -> Section:
    """Show where the time went."""
    shown = [{**row, "shown": duration(row["time_s"])} for row in rows]
    total = sum(row["time_s"] for row in rows)
    longest = max(rows, key=lambda row: float(row["time_s"]))
    title = f"{longest['step']} took longest: {duration(longest['time_s'])} of {duration(total)}"
    text = "Bar chart of time. " + "; ".join(f"{row['step']}: {row['shown']}" for row in shown) + "."
    grid = grid_of(shown, {"step": "step", "shown": "time", "note": "note"})
    return Section("steps", "Steps and time", [Figure("steps", title, text, charts.steps_chart(shown), grid)])


def reproduce_section(lineage: Mapping[str, Any], config: str) -> Section:
    """Show the exact command, versions, seed, digests of inputs, parents, data seen and settings."""
    blocks: list[Block] = []
    if lineage.get("command"):
        blocks.append(Code(str(lineage["command"])))
    facts = [("seed", lineage.get("seed")), ("started", lineage.get("started")), ("workflow", lineage.get("workflow"))]
    facts += [(f"{name}, version", value) for name, value in _mapping(lineage.get("versions")).items()]
    kept = [[name, str(value)] for name, value in facts if value is not None]
    if kept:
        blocks.append(Grid(["what", "value"], kept, title="Seed and versions"))
    columns = {"name": "input", "file": "file", "size_bytes": "bytes", "sha256": "sha256"}
    if inputs := _rows(lineage.get("inputs")):
        blocks.append(grid_of(inputs, columns, title="Inputs, by digest"))
    if parents := _rows(lineage.get("parents")):
        columns = {"model": "model", "workflow": "workflow", "command": "command", "started": "started", "seed": "seed",
                   "weights_sha256": "sha256 of the weights"}
        blocks.append(grid_of(parents, columns, title="Continued from"))
    if seen := _rows(lineage.get("data_seen")):
        columns = {"by": "stage", "chrom": "chromosome", "intervals": "intervals", "bases": "bases"}
        blocks.append(grid_of(_seen(seen), columns, title="What each stage learnt from"))
    if config:
        blocks.append(Code(config, summary="All settings (config.yaml)"))
    return Section("reproduce", "How to reproduce this", blocks)


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[dict[str, Any]]:
    """Keep the records of a list, with text for whatever is not a number."""
    records = value if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else []
    return [
        {str(key): cell if isinstance(cell, int | float | None) else str(cell) for key, cell in record.items()}
        for record in records if isinstance(record, Mapping)
    ]


def _seen(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sum intervals by stage and chromosome."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        held = sums.setdefault((str(row.get("by", "")), str(row.get("chrom", ""))), [0, 0])
        held[0] += 1
        held[1] += int(row.get("end") or 0) - int(row.get("start") or 0)
    return [{"by": by, "chrom": chrom, "intervals": count, "bases": bases}
            for (by, chrom), (count, bases) in sums.items()]


def methods_section(tables: Tables, metrics: Sequence[Row]) -> Section:
    """Explain in plain words what the page's tables hold."""
    have = {*tables, *(["metrics"] if metrics or "language" in tables else [])}
    terms = [(term, text) for table, term, text in TERMS if table in have]
    return Section("methods", "Methods in plain words", [Words(terms)] if terms else [])
