"""What a recipe hands back to whoever called it: a plan before, an outcome after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lingome.core.errors import LingomeError


@dataclass(frozen=True)
class Table:
    """A titled table. Cells are shown as they are; floats get three digits.

    With `thousands`, a terminal shows 1,234,567 for 1234567; a pipe gets the plain number.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    thousands: bool = False


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
