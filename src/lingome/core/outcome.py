"""What a recipe hands back to whoever called it: a plan before, an outcome after."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lingome.core.extras import require
from lingome.core.tables import format_cell

if TYPE_CHECKING:
    from pandas import DataFrame

from lingome.core.errors import LingomeError


@dataclass(frozen=True, repr=False)
class Table:
    """A titled table of numbers and text.

    A terminal and a notebook show floats with three digits; `to_dicts` and `to_pandas` give them whole.

    Parameters
    ----------
    title : str
        One line.
    columns : sequence of str
        Names of the columns.
    rows : sequence of sequence
        Cells of each row, in the order of the columns; None where there is nothing.
    thousands : bool
        A terminal shows 1,234,567 for 1234567; a pipe gets the plain number.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    thousands: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def to_dicts(self) -> list[dict[str, object]]:
        """Give each row as values by column.

        >>> Table("scores", ("name", "auroc"), [("TF-IDF", 0.875)]).to_dicts()
        [{'name': 'TF-IDF', 'auroc': 0.875}]
        """
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def to_pandas(self) -> DataFrame:
        """Give a pandas DataFrame, one row for each row of the table.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        pandas = require("pandas", "pandas")
        frame: DataFrame = pandas.DataFrame([list(row) for row in self.rows], columns=list(self.columns))
        return frame

    def show(self, value: object) -> str:
        """Write a cell for people: three digits after the point for floats, nothing for None."""
        if self.thousands and isinstance(value, int):
            return f"{value:,}"
        return str(format_cell(value, ".3f"))

    def is_numeric(self, index: int) -> bool:
        """Say whether a column holds numbers, or nothing, in every row."""
        return all(isinstance(row[index], int | float | None) for row in self.rows)

    def __repr__(self) -> str:
        """Write the table as aligned text, numbers to the right.

        >>> Table("scores", ("name", "auroc"), [("TF-IDF", 0.875), ("majority class", None)])
        scores (2 rows)
        name            auroc
        TF-IDF          0.875
        majority class
        """
        cells = [list(self.columns), *([self.show(value) for value in row] for row in self.rows)]
        widths = [max(len(line[index]) for line in cells) for index in range(len(self.columns))]
        right = [self.is_numeric(index) for index in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.rjust(width) if numeric else cell.ljust(width)
                for cell, width, numeric in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in cells
        ]
        count = f"{len(self.rows):,} row" + ("" if len(self.rows) == 1 else "s")
        return "\n".join([f"{self.title} ({count})", *lines])

    def _repr_html_(self) -> str:
        """Write the table for a notebook."""
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        aligned = ["right" if self.is_numeric(index) else "left" for index in range(len(self.columns))]
        body = "".join(
            "<tr>" + "".join(
                f'<td style="text-align: {side}">{html.escape(self.show(value))}</td>'
                for value, side in zip(row, aligned, strict=True)
            ) + "</tr>"
            for row in self.rows
        )
        return (
            f"<table><caption>{html.escape(self.title)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


@dataclass(frozen=True)
class Plan:
    """What a run would do, for ``--dry-run``: settings checked, sizes and times estimated.

    Parameters
    ----------
    title : str
        One line.
    rows : sequence of (str, str)
        Name and value: inputs, parameters, memory, time.
    """

    title: str
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Outcome:
    """What a run produced.

    Parameters
    ----------
    message : str
        One or a few sentences for people.
    tables : sequence of Table
        Results; to a terminal as tables, to a pipe as tab-separated values.
    text : str
        Raw data for standard output (a FASTA, a BED), instead of tables.
    path : Path, optional
        Where the result was written.
    problem : LingomeError, optional
        What was found wrong: shown after the rest, and decides how the command ends.
    """

    message: str = ""
    tables: Sequence[Table] = field(default_factory=tuple)
    text: str = ""
    path: Path | None = None
    problem: LingomeError | None = None
