"""What people see of plans and outcomes: tables and messages; data on standard output."""

from __future__ import annotations

import csv
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


def show_plan(plan: Plan) -> None:
    """Print a plan to people."""
    console = Console(stderr=True, highlight=False)
    table = RichTable(title=plan.title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in plan.rows:
        table.add_row(name, value)
    console.print(table)
    console.print("nothing was written (--dry-run)", style="dim")


def show_outcome(outcome: Outcome) -> None:
    """Print an outcome: tables to a terminal, tab-separated values to a pipe; say its message."""
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


def _rich_table(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", header_style="bold")
    for index, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if table.is_numeric(index) else "left", no_wrap=index == 0)
    for row in table.rows:
        shown.add_row(*(Text(table.show(value)) for value in row))
    return shown
