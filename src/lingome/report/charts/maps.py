"""Charts of data: the chromosome and its splits, the vocabulary, the embedding map, the region.

As in `charts`: one function a chart, rows in, an Altair chart out.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from lingome.report.blocks import Chart, Row
from lingome.report.charts.layout import data, named, short_axis, sized

SPLITS = ("train", "valid", "test")


def splits_chart(rows: Sequence[Row]) -> Chart:
    """Draw the blocks of each split along their chromosomes.

    Parameters
    ----------
    rows : sequence
        ``split, chrom, start, end, n, label`` (text inside the block).
    """
    found = {row["split"] for row in rows}
    order = [*(name for name in SPLITS if name in found), *sorted(found - set(SPLITS))]
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("chrom:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False)),
        x=alt.X("start:Q", title="position (bp)", scale=alt.Scale(nice=False), axis=short_axis()),
    )
    blocks = base.mark_bar(height=26, cornerRadius=2).encode(
        x2="end:Q",
        color=alt.Color("split:N", scale=alt.Scale(domain=order), legend=alt.Legend(title=None, offset=8)),
        tooltip=[alt.Tooltip("split:N", title="split"), alt.Tooltip("chrom:N", title="chromosome"),
                 alt.Tooltip("start:Q", title="start", format=","), alt.Tooltip("end:Q", title="end", format=","),
                 alt.Tooltip("n:Q", title="windows", format=","),
                 alt.Tooltip("n_positive:Q", title="positive", format=",")],
    )
    return sized(blocks, alt.Step(38))


def token_length_chart(rows: Sequence[Row]) -> Chart:
    """Draw how many tokens have each length: ``length_bp, tokens``."""
    chart = alt.Chart(data(rows)).mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("length_bp:O", title="length of a token (bp)", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("tokens:Q", title="tokens"),
        tooltip=[alt.Tooltip("length_bp:O", title="length (bp)"), alt.Tooltip("tokens:Q", title="tokens")],
    )
    return sized(chart, 220)


def rank_chart(rows: Sequence[Row]) -> Chart:
    """Draw frequency against rank, both logarithmic: ``rank, frequency, token, length_bp``."""
    chart = alt.Chart(data(rows)).mark_circle(size=28, opacity=0.65).encode(
        x=alt.X("rank:Q", title="rank by frequency", scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~s", tickCount=4, grid=False)),
        y=alt.Y("frequency:Q", title="share of all tokens", scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~%", tickCount=5, grid=False)),
        tooltip=[alt.Tooltip("token:N", title="token"), alt.Tooltip("rank:Q", title="rank"),
                 alt.Tooltip("frequency:Q", title="share", format=".4%"),
                 alt.Tooltip("length_bp:Q", title="length (bp)")],
    )
    return sized(chart, 260)


def gc_chart(rows: Sequence[Row]) -> Chart:
    """Draw how many tokens have each GC content, in tenths: ``shown`` (the range), ``tokens, share``."""
    chart = alt.Chart(data(rows)).mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("shown:O", sort=None, title="GC content of a token", axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("tokens:Q", title="tokens"),
        tooltip=[alt.Tooltip("shown:N", title="GC content"), alt.Tooltip("tokens:Q", title="tokens"),
                 alt.Tooltip("share:Q", title="share of all occurrences", format=".1%")],
    )
    return sized(chart, 220)


def embedding_chart(rows: Sequence[Row], labels: Sequence[str], x_title: str, y_title: str) -> Chart:
    """Draw windows on the first two principal components, by label.

    Parameters
    ----------
    rows : sequence
        ``id, pc1, pc2, label, place, probability``.
    labels : sequence of str
        Order of labels, which sets colours and shapes.
    x_title, y_title : str
        Titles of the axes.
    """
    legend = named()
    near = alt.selection_point(name="shown", fields=["label"], bind="legend")
    chart = alt.Chart(data(rows)).mark_point(filled=True, size=34).encode(
        x=alt.X("pc1:Q", title=x_title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        y=alt.Y("pc2:Q", title=y_title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=alt.Color("label:N", scale=alt.Scale(domain=list(labels)), legend=legend),
        shape=alt.Shape("label:N", scale=alt.Scale(domain=list(labels)), legend=legend),
        opacity=alt.condition(near, alt.value(0.6), alt.value(0.06)),
        tooltip=[alt.Tooltip("id:N", title="window"), alt.Tooltip("place:N", title="place"),
                 alt.Tooltip("label:N", title="label"), alt.Tooltip("probability:Q", title="predicted", format=".3f")],
    ).add_params(near).properties(name="map")
    return sized(chart, 380)


def region_chart(
    sites: Sequence[Row], peaks: Sequence[Row], labels: Sequence[str], extent: tuple[float, float]
) -> Chart:
    """Draw predicted sites as lollipops over the measured peaks as boxes, in a window that can move.

    Parameters
    ----------
    sites : sequence
        ``centre, place, strand, probability, motif_score, label``.
    peaks : sequence
        ``start, end, place, signal``.
    labels : sequence of str
        Order of labels, which sets colours and shapes.
    extent : (float, float)
        First and last base shown at first; parameters ``from_bp`` and ``to_bp`` of the chart.
    """
    window = alt.Scale(domain=[alt.ExprRef("from_bp"), alt.ExprRef("to_bp")], nice=False, zero=False)
    axis = alt.Axis(format=",.0f", tickCount=alt.ExprRef("max(2, width / 140)"))
    colour = alt.Color("label:N", scale=alt.Scale(domain=list(labels)), legend=named())
    base = alt.Chart(data(sites)).encode(x=alt.X("centre:Q", title="position (bp)", scale=window, axis=axis))
    y = alt.Y("probability:Q", title="predicted probability", scale=alt.Scale(domain=[-0.16, 1]),
              axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"))
    hover = [alt.Tooltip("place:N", title="site"), alt.Tooltip("strand:N", title="strand"),
             alt.Tooltip("probability:Q", title="predicted", format=".3f"),
             alt.Tooltip("motif_score:Q", title="motif score", format=".2f"),
             alt.Tooltip("label:N", title="measured")]
    stems = base.mark_rule(clip=True, strokeWidth=1.5, opacity=0.7).encode(
        y=y, y2=alt.Y2Datum(0), color=colour)
    heads = base.mark_point(clip=True, filled=True, size=70, opacity=1).encode(
        y=y, color=colour, tooltip=hover,
        shape=alt.Shape("label:N", legend=named(),
                        scale=alt.Scale(domain=list(labels), range=["circle", "diamond", "cross"])))
    layers = [stems, heads]
    if peaks:
        boxes = alt.Chart(data(peaks)).mark_rect(clip=True, style="box", strokeWidth=1.5).encode(
            x=alt.X("start:Q", scale=window, title="position (bp)"), x2="end:Q",
            y=alt.YDatum(-0.05), y2=alt.Y2Datum(-0.12),
            tooltip=[alt.Tooltip("place:N", title="peak"), alt.Tooltip("signal:Q", title="signal", format=".1f")])
        layers.append(boxes)
    start = alt.param(name="from_bp", value=extent[0])
    end = alt.param(name="to_bp", value=extent[1])
    return sized(alt.layer(*layers).add_params(start, end), 300)


def overview_chart(sites: Sequence[Row], labels: Sequence[str], extent: tuple[float, float]) -> Chart:
    """Draw all sites small, with a brush that sets the window of the region's chart."""
    brush = alt.selection_interval(name="brush", encodings=["x"])
    chart = alt.Chart(data(sites)).mark_tick(thickness=2, height=26).encode(
        x=alt.X("centre:Q", title="drag here to choose a window", scale=alt.Scale(domain=list(extent), nice=False),
                axis=short_axis()),
        color=alt.Color("label:N", scale=alt.Scale(domain=list(labels)), legend=None),
        opacity=alt.Opacity("probability:Q", scale=alt.Scale(domain=[0, 1], range=[0.25, 1]), legend=None),
    ).add_params(brush).properties(name="strip")
    return sized(chart, 44)
