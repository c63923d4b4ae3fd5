"""What the charts share: their size, legends, axes and rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from lingome.report.blocks import Chart, Row


def sized(chart: Chart, height: int | alt.Step) -> Chart:
    """Make a chart as wide as its place on the page, and `height` pixels high."""
    done: Chart = chart.properties(width="container", height=height)
    return done


def named(title: str | None = None, **more: Any) -> alt.Legend:
    """Give a legend that clears the title of the y axis, which stands above it."""
    return alt.Legend(title=title, orient="top", offset=28, symbolStrokeWidth=3, **more)


def short_axis() -> alt.Axis:
    """Give an axis that writes 1k and 10M, and a plain 0."""
    return alt.Axis(format="~s", tickCount=5, labelExpr="datum.value == 0 ? '0' : datum.label")


def data(rows: Sequence[Row]) -> alt.InlineData:
    """Put rows into a chart."""
    return alt.InlineData(values=[dict(row) for row in rows])
