"""Charts of results: one function a chart, rows in, an Altair chart out.

Charts hold no colours but the order of their scales; `theme` gives the colours of each screen.
Categories keep the order of the rows (``sort=None``): a list of names given as ``sort`` would become
part of an expression, which some characters in a name break.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from lingome.report.blocks import Chart, Row
from lingome.report.charts.layout import data, named, short_axis, sized

KINDS = ("model", "baseline")
PICKED = "indexof(picked, datum.name) >= 0"
WIDE = alt.Step(40)


def scores_chart(rows: Sequence[Row], metric: str, label: str, reference: float | None) -> Chart:
    """Draw one metric of every model and baseline: a dot with its interval, best on top.

    Parameters
    ----------
    rows : sequence
        ``name, kind, value, low, high, shown, brief`` (the number as text, with and
        without its interval), in the order drawn.
    metric, label : str
        The metric's key, and its name on the axis.
    reference : float, optional
        Value of the best baseline, drawn as a guide.
    """
    lowest = [row["low"] if row["low"] is not None else row["value"] for row in rows]
    bottom = min([*lowest, 0 if metric == "mcc" else 0.5])
    top = max([row["high"] if row["high"] is not None else row["value"] for row in rows])
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("name:N", sort=None, axis=None, scale=alt.Scale(paddingOuter=0.35)),
        tooltip=[alt.Tooltip("name:N", title="name"), alt.Tooltip("kind:N", title="kind"),
                 alt.Tooltip("shown:N", title=label)],
    )
    x = alt.X("value:Q", title=f"{label}, with 95% interval", axis=alt.Axis(tickCount=5, format=".2~f"),
              scale=alt.Scale(domain=[bottom, max(top, bottom + 0.05)], nice=True, zero=False))
    colour = alt.Color("kind:N", scale=alt.Scale(domain=KINDS), legend=alt.Legend(title=None, offset=6))
    shown = alt.ExprRef("width < 480 ? datum.brief : datum.shown")
    layers = [
        base.mark_rule(strokeWidth=3, opacity=0.55, yOffset=7).encode(
            x=alt.X("low:Q", title=f"{label}, with 95% interval"), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=90, opacity=1, yOffset=7).encode(
            x=x, color=colour, shape=alt.Shape("kind:N", scale=alt.Scale(domain=KINDS, range=["circle", "diamond"]))),
        base.mark_text(align="left", yOffset=-9, style="name").encode(x=alt.value(0), text="name:N"),
        base.mark_text(align="right", yOffset=-9, style="number", text=shown).encode(x=alt.value("width")),
    ]
    if reference is not None:
        ticks = base.mark_tick(height=18, thickness=1.5, yOffset=7, style="reference")
        layers.insert(0, ticks.encode(x=alt.datum(reference)))
    return sized(alt.layer(*layers), WIDE)


def curve_chart(
    rows: Sequence[Row], names: Sequence[str], picked: Sequence[str], x_title: str, y_title: str,
    guide: Sequence[Row], *, dots: bool = False,
) -> Chart:
    """Draw curves of every model and baseline, the picked ones strong and with their bands.

    Parameters
    ----------
    rows : sequence
        ``name, kind, x, y, low, high, i`` (i orders the points of a curve).
    names : sequence of str
        Order of names, which sets their colours.
    picked : sequence of str
        Names shown strong at first.
    x_title, y_title : str
        Titles of the axes.
    guide : sequence
        Two points ``x, y``: chance, or perfect calibration.
    dots : bool
        Mark the points of picked curves, where points are few.
    """
    base = alt.Chart(data(rows))
    x = alt.X("x:Q", title=x_title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    y = alt.Y("y:Q", title=y_title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    colour = alt.Color("name:N", scale=alt.Scale(domain=list(names)), legend=None)
    strength = alt.condition(f"length(picked) == 0 || {PICKED}", alt.value(1), alt.value(0.2))
    band = base.transform_filter(PICKED).mark_area(opacity=0.18, clip=True).encode(
        x=x, y=alt.Y("low:Q", title=y_title), y2="high:Q", color=colour)
    lines = base.mark_line(strokeWidth=2.2, clip=True).encode(
        x=x, y=y, color=colour, opacity=strength, order="i:Q",
        strokeDash=alt.StrokeDash("kind:N", scale=alt.Scale(domain=KINDS, range=[[1, 0], [5, 3]]), legend=None))
    points = base.transform_filter(PICKED).mark_point(size=60, opacity=int(dots), filled=True).encode(
        x=x, y=y, color=colour,
        tooltip=[alt.Tooltip("name:N", title="name"), alt.Tooltip("x:Q", title=x_title, format=".3f"),
                 alt.Tooltip("y:Q", title=y_title, format=".3f"), alt.Tooltip("low:Q", title="low", format=".3f"),
                 alt.Tooltip("high:Q", title="high", format=".3f")])
    chance = alt.Chart(data(guide)).mark_line(style="guide").encode(x=x, y=y)
    layered = alt.layer(chance, band, lines, points).add_params(alt.param(name="picked", value=list(picked)))
    return sized(layered, 340)


def loss_chart(rows: Sequence[Row], x: str, lines: Sequence[str]) -> Chart:
    """Draw loss against tokens seen (or steps), one line a ``line``, named at its end.

    Parameters
    ----------
    rows : sequence
        ``line, x, loss, perplexity, dot`` (is the point marked).
    x : str
        ``tokens`` or ``step``.
    lines : sequence of str
        Order of the lines.
    """
    base = alt.Chart(data(rows)).encode(
        x=alt.X("x:Q", title=f"{x} seen" if x == "tokens" else x, axis=short_axis()),
        y=alt.Y("loss:Q", title="loss (nats)", scale=alt.Scale(zero=False)),
        color=alt.Color("line:N", scale=alt.Scale(domain=list(lines)),
                        legend=named(symbolType="stroke", columns=alt.ExprRef("width < 520 ? 1 : 3"))),
        tooltip=[alt.Tooltip("line:N", title="line"), alt.Tooltip("x:Q", title=x, format=","),
                 alt.Tooltip("loss:Q", title="loss", format=".4f"),
                 alt.Tooltip("perplexity:Q", title="perplexity", format=".2f")],
    )
    dots = base.transform_filter("datum.dot").mark_point(filled=True, size=40, opacity=0.9)
    chart = alt.layer(base.mark_line(strokeWidth=2), dots)
    return sized(chart, 280)


def steps_chart(rows: Sequence[Row]) -> Chart:
    """Draw the time of each step: ``step, time_s, shown``."""
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("step:N", sort=None, axis=None, scale=alt.Scale(paddingOuter=0.3)),
        tooltip=[alt.Tooltip("step:N", title="step"), alt.Tooltip("shown:N", title="time")],
    )
    bars = base.mark_bar(height=9, yOffset=9, cornerRadiusEnd=2).encode(
        x=alt.X("time_s:Q", title="time (s)", axis=alt.Axis(tickCount=5)))
    names = base.mark_text(align="left", yOffset=-6, style="name").encode(x=alt.value(0), text="step:N")
    times = base.mark_text(align="right", yOffset=-6, style="number").encode(x=alt.value("width"), text="shown:N")
    return sized(alt.layer(bars, names, times), alt.Step(36))
