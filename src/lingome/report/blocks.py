"""What a page is made of: sections that hold figures and grids; and how numbers are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import altair as alt

Row = Mapping[str, Any]
Chart = alt.Chart | alt.LayerChart | alt.FacetChart


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Parameters
    ----------
    columns, rows : sequence
        Names, and cells as they are shown.
    title, note : str
        A heading above, and a remark below.
    right : sequence of int
        Columns set flush right: numbers.
    badges : mapping of int to str
        Row to mark, and the words that mark it.
    search : bool
        Offer a field that filters the rows.
    """

    kind: ClassVar[str] = "grid"
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    right: Sequence[int] = ()
    badges: Mapping[int, str] = field(default_factory=dict)
    search: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart with its title, its description in words and the numbers behind it.

    Parameters
    ----------
    key : str
        Name in the page, unique.
    title : str
        The finding, as a sentence.
    text : str
        What the chart shows, for whoever cannot see it.
    chart : altair chart
    numbers : Grid
        The values drawn, or a summary of them that says where all of them are.
    note : str
        How to read or use it.
    picks : bool
        The chart has a parameter ``picked``, set by the buttons of the section's legend.
    drives : str
        Key of the figure whose window this one's brush sets.
    extent : (float, float), optional
        Ends of the window that the zoom buttons move, in base pairs.
    """

    kind: ClassVar[str] = "figure"
    key: str
    title: str
    text: str
    chart: Chart
    numbers: Grid
    note: str = ""
    picks: bool = False
    drives: str = ""
    extent: tuple[float, float] | None = None


@dataclass(frozen=True)
class Legend:
    """Buttons that pick curves by name: (name, index of hue, is it a baseline, is it picked)."""

    kind: ClassVar[str] = "legend"
    entries: Sequence[tuple[str, int, bool, bool]]


@dataclass(frozen=True)
class Words:
    """Terms and their explanations."""

    kind: ClassVar[str] = "words"
    terms: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """Text to copy; folded away when it has a summary."""

    kind: ClassVar[str] = "code"
    text: str
    summary: str = ""


Block = Grid | Figure | Legend | Words | Code


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    key: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""


def digits(value: float | None, places: int = 3) -> str:
    """Write a number with fixed decimals; a hyphen where there is none.

    >>> digits(0.87312), digits(None)
    ('0.873', '-')
    """
    return "-" if value is None else f"{value:.{places}f}"


def with_interval(row: Row, metric: str) -> str:
    """Write a metric with its 95% interval.

    >>> with_interval({"auroc": 0.8731, "auroc_low": 0.851, "auroc_high": 0.8944}, "auroc")
    '0.873 (0.851-0.894)'
    """
    value = row.get(metric)
    low = row.get(f"{metric}_low")
    high = row.get(f"{metric}_high")
    if value is None or low is None or high is None:
        return digits(value)
    dash = "-" if low >= 0 else " to "
    return f"{digits(value)} ({digits(low)}{dash}{digits(high)})"


def number(value: object) -> str:
    """Write any cell: thousands apart, floats with few digits, nothing for None.

    >>> number(59505520), number(0.0123), number("chr20"), number(None)
    ('59,505,520', '0.0123', 'chr20', '')
    """
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return f"{int(value):,}"
        return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def duration(seconds: float) -> str:
    """Write a time.

    >>> duration(4.21), duration(72), duration(7384)
    ('4.2 s', '1 min 12 s', '2 h 03 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def size(count: float) -> str:
    """Write a number of bytes.

    >>> size(1_500_000_000), size(4200)
    ('1.5 GB', '4.2 kB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} bytes"


def rounded(rows: Iterable[Row], columns: Sequence[str], places: int = 5) -> list[dict[str, Any]]:
    """Keep some columns, with floats cut to `places` significant digits, to keep the page small."""
    return [{name: _cut(row.get(name), places) for name in columns} for row in rows]


def _cut(value: Any, places: int) -> Any:
    if not isinstance(value, float) or value == 0 or not math.isfinite(value):
        return value
    return round(value, places - 1 - math.floor(math.log10(abs(value))))


def thinned(rows: Sequence[Row], at_most: int) -> list[Row]:
    """Take evenly spaced rows, the first and the last among them.

    >>> thinned([{"i": i} for i in range(5)], 3)
    [{'i': 0}, {'i': 2}, {'i': 4}]
    """
    if len(rows) <= at_most:
        return list(rows)
    return [rows[round(index * (len(rows) - 1) / (at_most - 1))] for index in range(at_most)]


def grid_of(rows: Sequence[Row], columns: Mapping[str, str], right: Sequence[str] = (), **more: Any) -> Grid:
    """Make a grid from rows; columns that are empty in every row are left out.

    Parameters
    ----------
    rows : sequence of mapping
        Of a table.
    columns : mapping of str to str
        Key of each column in the rows, and its heading, in order.
    right : sequence of str
        Keys of columns that are set flush right; those of numbers are in any case.
    **more
        Further fields of `Grid`: title, note, search.
    """
    kept = [key for key in columns if any(row.get(key) is not None for row in rows)]
    flush = [
        index for index, key in enumerate(kept)
        if key in right or all(isinstance(row.get(key), int | float | None) for row in rows)
    ]
    return Grid([columns[key] for key in kept], [[number(row.get(key)) for key in kept] for row in rows],
                right=flush, **more)
