"""Read the tables of a run directory, checked against what the page expects of each."""

from __future__ import annotations

import csv
import math
from typing import Any

import yaml

from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.core.tables import TABLES, Column

Tables = dict[str, list[dict[str, Any]]]


def read_tables(run: RunDir) -> Tables:
    """Read every table that the page knows and the run has; empty ones are left out.

    Text columns come as text even where a cell looks like a number (chromosome ``20``); numbers
    that are not finite come as None, and rows that need one are left out.

    Raises
    ------
    DataError
        If a needed column is missing, a cell is not a number where one belongs, or a file is not
        tab-separated text.
    """
    tables = {name: _read(run, name) for name, table in TABLES.items() if table.on_page and run.has_table(name)}
    return {name: rows for name, rows in tables.items() if rows}


def read_metrics(run: RunDir) -> list[dict[str, Any]]:
    """Read the measurements of training that have a phase, a split and a finite loss.

    Raises
    ------
    DataError
        If a line is not an object in JSON.
    """
    where = run.path / "metrics.jsonl"
    try:
        lines: list[Any] = list(run.read_metrics())
    except UnicodeDecodeError as error:
        raise DataError("not text in UTF-8", where=where, got=error) from error
    kept = []
    for index, line in enumerate(lines, start=1):
        if not isinstance(line, dict):
            raise DataError("not an object in JSON", where=f"{where}:{index}", got=repr(line)[:80])
        if isinstance(line.get("loss"), int | float) and math.isfinite(line["loss"]):
            kept.append({**line, "phase": str(line.get("phase", "training")), "split": str(line.get("split", "train"))})
    return kept


def read_lineage(run: RunDir) -> dict[str, Any]:
    """Read ``run.json``.

    Raises
    ------
    DataError
        If it does not hold an object in JSON.
    """
    return run.read_lineage()


def read_config(run: RunDir) -> str:
    """Read ``config.yaml`` as text, written again in the same order; empty if there is none.

    Raises
    ------
    DataError
        If it is not YAML.
    """
    config = run.read_config()
    return yaml.safe_dump(config, sort_keys=False) if config else ""


def _read(run: RunDir, name: str) -> list[dict[str, Any]]:
    file = run.path / "tables" / f"{name}.tsv"
    try:
        rows = run.read_table(name)
    except (UnicodeDecodeError, csv.Error, TypeError) as error:
        raise DataError("not a table of tab-separated text", where=file, got=error) from error
    checked: list[dict[str, Any]] = [{} for _ in rows]
    columns = TABLES[name].on_page
    for column in columns:
        key = column.name
        if rows and column.required and key not in rows[0]:
            raise DataError(f"the column {key!r} is missing", where=f"{file}:1", got=", ".join(map(str, rows[0])))
        for index, row in enumerate(rows):
            if row.get(key) is None and column.required:
                raise DataError(f"the column {key!r} is empty here", where=f"{file}:{index + 2}")
            checked[index][key] = _check(row.get(key), column, f"{file}:{index + 2}")
    needed = [column.name for column in columns if column.required and not column.text]
    return [row for row in checked if all(row[key] is not None for key in needed)]


def _check(value: Any, column: Column, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or (column.number and column.text):
        return value
    if column.text:
        return str(value)
    if isinstance(value, str):
        raise DataError(f"the column {column.name!r} holds numbers", where=where, got=repr(value)[:80])
    return value
