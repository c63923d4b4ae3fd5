"""Charts of the choice of a vocabulary: accuracy, distance to the best, and cheap signals.

As in `charts`: one function a chart, rows in, an Altair chart out. The x axis of curves is the number
of tokens, on a logarithmic scale: byte pairs make a line, k-mers stand beside it as diamonds.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from lingome.report.blocks import Chart, Row
from lingome.report.charts.layout import data, named, sized

SIZES = "tokens in the vocabulary (log scale)"
TICKS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000]


def size_axis(rows: Sequence[Row]) -> alt.X:
    """Give the axis of vocabulary sizes, with a little room at both ends."""
    sizes = [row["tokens"] for row in rows]
    low = 0.8 * min(sizes)
    high = 1.4 * max(sizes)
    return alt.X(
        "tokens:Q", title=SIZES, scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=[tick for tick in TICKS if low <= tick <= high], format=",d", grid=False),
    )


def landmarks(rows: Sequence[Row], x: alt.X) -> Chart:
    """Draw a line and a name where a vocabulary that is no byte-pair one stands: ``vocabulary, tokens``."""
    base = alt.Chart(data(rows))
    chart: Chart = alt.layer(
        base.mark_rule(style="guide", opacity=0.5).encode(x=x),
        base.mark_text(align="left", baseline="bottom", dx=4, dy=-3, angle=90, style="number").encode(
            x=x, y=alt.value(0), text="vocabulary:N"),
    )
    return chart


def accuracy_chart(rows: Sequence[Row], marks: Sequence[Row], against: str) -> Chart:
    """Draw accuracy over that of a simpler predictor against size, a line and a band for every k.

    Parameters
    ----------
    rows : sequence
        ``vocabulary, tokens, k, bpe`` (is it part of a line), ``ratio, ratio_low, ratio_high, accuracy,
        low, high, chance, baseline``, from few tokens to many.
    marks : sequence
        ``vocabulary, tokens`` of those that are named in the chart.
    against : str
        What the ratio is taken to.
    """
    base = alt.Chart(data(rows))
    x = size_axis(rows)
    title = f"accuracy relative to {against}"
    y = alt.Y("ratio:Q", title=title, scale=alt.Scale(zero=False))
    colour = alt.Color("k:N", legend=named("k (bases predicted)", symbolType="stroke", symbolOpacity=1))
    hover = [alt.Tooltip("vocabulary:N", title="vocabulary"), alt.Tooltip("k:N", title="k"),
             *(alt.Tooltip(f"{key}:Q", title=name, format=".4f") for key, name in (
                 ("accuracy", "accuracy"), ("low", "low"), ("high", "high"), ("baseline", "Markov baseline"),
                 ("chance", "chance")))]
    line = base.transform_filter("datum.bpe")
    guide = alt.Chart(data([{"one": 1}])).mark_rule(style="guide").encode(y=alt.Y("one:Q", title=title))
    layers = [
        landmarks(marks, x), guide,
        line.mark_area(opacity=0.14).encode(x=x, y=alt.Y("ratio_low:Q", title=title), y2="ratio_high:Q", color=colour),
        line.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.transform_filter("!datum.bpe").mark_rule(strokeWidth=1.6, opacity=0.5).encode(
            x=x, y=alt.Y("ratio_low:Q", title=title), y2="ratio_high:Q", color=colour),
        base.mark_point(filled=True, size=46, opacity=1).encode(
            x=x, y=y, color=colour, tooltip=hover,
            shape=alt.Shape("bpe:N", scale=alt.Scale(domain=[True, False], range=["circle", "diamond"]), legend=None)),
    ]
    return sized(alt.layer(*layers), 340)


def behind_chart(rows: Sequence[Row]) -> Chart:
    """Draw how far each vocabulary is behind the best: ``vocabulary, value, low, high, state, shown``, in points."""
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("vocabulary:N", sort=None, title=None, axis=alt.Axis(grid=False, domain=False, ticks=False)),
        tooltip=[alt.Tooltip("vocabulary:N", title="vocabulary"), alt.Tooltip("shown:N", title="behind the best")],
    )
    title = "points of mean accuracy behind the best, with paired 95% interval"
    colour = alt.Color("state:N", sort=None, legend=alt.Legend(title=None, orient="top", offset=6, symbolOpacity=1),
                       scale=alt.Scale(domain=["recommended", "as good as the best", "behind"]))
    x = alt.X("value:Q", title=title, axis=alt.Axis(tickCount=6))
    zero = alt.Chart(data([{"zero": 0}])).mark_rule(style="guide").encode(x=alt.X("zero:Q", title=title))
    return sized(alt.layer(
        zero,
        base.mark_rule(strokeWidth=3, opacity=0.55).encode(x=alt.X("low:Q", title=title), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, color=colour),
    ), alt.Step(19))


def signal_chart(rows: Sequence[Row], marks: Sequence[Row], title: str, reference: tuple[str, float] | None) -> Chart:
    """Draw one signal against size, with its band.

    Parameters
    ----------
    rows : sequence
        ``vocabulary, tokens, bpe, value, low, high``, from few tokens to many.
    marks : sequence
        ``vocabulary, tokens`` of those that are named in the chart.
    title : str
        Name of the signal on its axis.
    reference : (str, float), optional
        Name and value of a line to compare with.
    """
    base = alt.Chart(data(rows))
    x = size_axis(rows)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    hover = [alt.Tooltip("vocabulary:N", title="vocabulary"), alt.Tooltip("value:Q", title=title, format=".4f"),
             alt.Tooltip("low:Q", title="low", format=".4f"), alt.Tooltip("high:Q", title="high", format=".4f")]
    line = base.transform_filter("datum.bpe")
    layers: list[Chart] = [
        landmarks(marks, x),
        line.mark_area(opacity=0.14).encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q"),
        line.mark_line(strokeWidth=2).encode(x=x, y=y),
        base.transform_filter("!datum.bpe").mark_rule(strokeWidth=1.6, opacity=0.5).encode(
            x=x, y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(
            x=x, y=y, tooltip=hover,
            shape=alt.Shape("bpe:N", scale=alt.Scale(domain=[True, False], range=["circle", "diamond"]), legend=None)),
    ]
    if reference is not None:
        held = alt.Chart(data([{"at": reference[1], "name": reference[0]}]))
        layers += [
            held.mark_rule(style="guide").encode(y=alt.Y("at:Q", title=title)),
            held.mark_text(align="right", dy=-7, style="number").encode(
                x=alt.value("width"), y=alt.Y("at:Q", title=title), text="name:N"),
        ]
    return sized(alt.layer(*layers), 260)
