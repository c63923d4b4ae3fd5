"""What people see of plans and outcomes: tables and messages; data on standard output."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from lingome.core.files import explain_os_errors
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.tables import format_cell


def show_plan(plan: Plan, *, as_json: bool = False) -> None:
    """Print a plan to people; as JSON, to standard output."""
    if as_json:
        rows = [{"name": name.strip(), "value": value} for name, value in plan.rows]
        _write_json({"title": plan.title, "rows": rows})
        return
    console = Console(stderr=True, highlight=False)
    table = RichTable(title=plan.title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in plan.rows:
        table.add_row(name, value)
    console.print(table)
    console.print("nothing was written (--dry-run)", style="dim")


def show_outcome(outcome: Outcome, *, as_json: bool = False) -> None:
    """Print an outcome: tables to a terminal, tab-separated values to a pipe, or all as JSON; say its message."""
    if as_json:
        _write_json({
            "message": outcome.message,
            "path": None if outcome.path is None else str(outcome.path),
            "problem": None if outcome.problem is None else str(outcome.problem),
            "text": outcome.text,
            "tables": [
                {
                    "title": table.title,
                    "columns": list(table.columns),
                    "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
                }
                for table in outcome.tables
            ],
        })
        return
    with explain_os_errors(Path("standard output")):
        if outcome.text:
            sys.stdout.write(outcome.text)
        for table in outcome.tables:
            if sys.stdout.isatty():
                Console(highlight=False, no_color="NO_COLOR" in os.environ).print(_rich_table(table))
            else:
                writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
                writer.writerow(table.columns)
                writer.writerows([format_cell(value, ".3f") for value in row] for row in table.rows)
        sys.stdout.flush()
    if outcome.message:
        say(outcome.message)


def _write_json(value: object) -> None:
    with explain_os_errors(Path("standard output")):
        sys.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _plain(value: object) -> object:
    """Turn a value into what JSON knows: numbers of NumPy into numbers, what is no number into null."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # a NumPy scalar
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


def _rich_table(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", header_style="bold")
    for index, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if table.is_numeric(index) else "left", no_wrap=index == 0)
    for row in table.rows:
        shown.add_row(*(Text(table.show(value)) for value in row))
    return shown
