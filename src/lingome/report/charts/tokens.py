"""Charts of tokens: use, letters, strands, annotation, descent and vectors.

As in `charts`: one function a chart, rows in, an Altair chart out.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from lingome.report.blocks import Chart, Row
from lingome.report.charts.layout import data, named, sized

MONO = "ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace"
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
PERCENT = alt.Axis(format=".0%", tickCount=5)
TREE_ROW = 17


def flat() -> alt.Legend:
    """Give a legend for charts without a title above the y axis."""
    return alt.Legend(title=None, orient="top", offset=6)


def length_chart(rows: Sequence[Row]) -> Chart:
    """Draw the share of the vocabulary, and of all occurrences, that each length has: ``length_bp, of, share, n``."""
    chart = alt.Chart(data(rows)).mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("length_bp:O", title="length of a token", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("of:N", sort=None),
        y=alt.Y("share:Q", title="share", axis=PERCENT),
        color=alt.Color("of:N", sort=None, legend=named()),
        tooltip=[alt.Tooltip("length_bp:O", title="length"), alt.Tooltip("of:N", title="of"),
                 alt.Tooltip("n:Q", title="number", format=","), alt.Tooltip("share:Q", title="share", format=".2%")],
    )
    return sized(chart, 240)


def content_chart(rows: Sequence[Row]) -> Chart:
    """Draw frequency against GC content: ``token, place`` (GC, moved a little aside), ``gc, frequency, length_bp``."""
    chart = alt.Chart(data(rows)).mark_point(filled=True, size=36, opacity=0.75).encode(
        x=alt.X("place:Q", title="GC content of a token", axis=PERCENT, scale=alt.Scale(domain=[-0.02, 1.02])),
        y=alt.Y("frequency:Q", title="share of all tokens", scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~%", tickCount=4)),
        color=alt.Color("length_bp:Q", scale=alt.Scale(range="diverging", type="sqrt", interpolate="rgb"),
                        legend=named("length", gradientLength=160, tickCount=4, format="d")),
        tooltip=[alt.Tooltip("token:N", title="token"), alt.Tooltip("gc:Q", title="GC content", format=".0%"),
                 alt.Tooltip("frequency:Q", title="share", format=".4%"),
                 alt.Tooltip("length_bp:Q", title="length")],
    )
    return sized(chart, 300)


def strand_chart(rows: Sequence[Row], funnel: Sequence[Row]) -> Chart:
    """Draw strand bias against occurrences, over the bounds of chance.

    Parameters
    ----------
    rows : sequence
        ``token, both, strand_bias, count, count_reverse, shown`` (inside or outside the bounds).
    funnel : sequence
        ``both, low, high``.
    """
    reach = 1.15 * max(abs(row["strand_bias"]) for row in rows) or 1.0
    x = alt.X("both:Q", title="occurrences on both strands", scale=alt.Scale(type="log", nice=False, padding=8),
              axis=alt.Axis(format="~s", tickCount=5))
    band = alt.Chart(data(funnel)).mark_area(opacity=0.16, clip=True, style="box").encode(
        x=x, y=alt.Y("low:Q", title="strand bias"), y2="high:Q")
    scale = alt.Scale(domain=[-reach, reach], nice=True)
    points = alt.Chart(data(rows)).mark_point(filled=True, size=34, opacity=0.75).encode(
        x=x, y=alt.Y("strand_bias:Q", title="strand bias", scale=scale, axis=alt.Axis(tickCount=5, format="~g")),
        color=alt.Color("shown:N", legend=named(), scale=alt.Scale(domain=["within chance", "beyond chance"])),
        tooltip=[alt.Tooltip("token:N", title="token"), alt.Tooltip("strand_bias:Q", title="bias", format=".3f"),
                 alt.Tooltip("count:Q", title="forward", format=","),
                 alt.Tooltip("count_reverse:Q", title="reverse", format=",")],
    )
    return sized(alt.layer(band, points), 280)


def enrichment_chart(rows: Sequence[Row], name: str) -> Chart:
    """Draw how many times more often than a base some tokens lie in an annotation.

    Parameters
    ----------
    rows : sequence
        ``token, ratio, share, count, inside, shown, brief`` (the numbers as text, with and
        without counts), the most enriched first.
    name : str
        The annotation.
    """
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("token:N", sort=None, title=None,
                axis=alt.Axis(domain=False, ticks=False, labelFont=MONO, labelLimit=150, labelOverlap=False)),
        tooltip=[alt.Tooltip("token:N", title="token"), alt.Tooltip("share:Q", title=f"in {name}", format=".1%"),
                 alt.Tooltip("inside:Q", title="occurrences inside", format=","),
                 alt.Tooltip("count:Q", title="occurrences", format=",")],
    )
    low = min(1.0, *(row["ratio"] for row in rows))
    high = max(1.0, *(row["ratio"] for row in rows))
    room = alt.Scale(type="log", domain=[0.9 * low, 1.1 * high], nice=False,
                     range=[0, alt.ExprRef("width < 480 ? width - 60 : width - 180")])
    ticks = [value for value in TICKS if 0.9 * low <= value <= 1.1 * high]
    ticks = ticks if len(ticks) <= 7 else [value for value in ticks if value in (0.01, 0.1, 1, 10, 100, 1000)]
    x = alt.X("ratio:Q", title=f"share in {name}, relative to all bases (logarithmic)", scale=room,
              axis=alt.Axis(format="~g", values=ticks))
    side = alt.Color("side:N", legend=flat(), scale=alt.Scale(domain=["more often than all bases", "less often"]))
    layers = [
        alt.Chart(data([{"one": 1}])).mark_rule(style="guide").encode(
            x=alt.X("one:Q", title=f"share in {name}, relative to all bases (logarithmic)", scale=room)),
        base.mark_rule(strokeWidth=2, opacity=0.6).encode(x=x, x2=alt.X2Datum(1), color=side),
        base.mark_point(filled=True, size=60, opacity=1).encode(x=x, color=side),
        base.mark_text(align="right", style="number", text=alt.ExprRef(
            "width < 480 ? datum.brief : datum.shown")).encode(x=alt.value("width")),
    ]
    return sized(alt.layer(*layers), alt.Step(19))


def tree_chart(rows: Sequence[Row], least: float) -> Chart:
    """Draw tokens as a tree, each hanging from its left part at the merge that made it.

    Parameters
    ----------
    rows : sequence
        ``token, label`` (with both parts), ``rank`` (at least `least`; letters have it), ``row`` and, of the
        left part, ``from_rank, from_row``; ``share, kind``.
    least : float
        Where letters stand on the axis, below 1.
    """
    most = max(row["rank"] for row in rows)
    scale = alt.Scale(type="log", domain=[least, max(most, 10)], nice=False,
                      range=[6, alt.ExprRef("width < 520 ? width - 130 : width - 270")])
    ticks = [value for value in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000) if value <= most]
    title = "number of the merge that made it (logarithmic)"
    x = alt.X("rank:Q", title=title, scale=scale, axis=alt.Axis(values=ticks, format="d", orient="top", grid=False))
    y_scale = alt.Scale(domain=[-0.7, len(rows) - 0.3], reverse=True, nice=False, zero=False)
    y = alt.Y("row:Q", axis=None, scale=y_scale)
    base = alt.Chart(data(rows))
    children = base.transform_filter("isValid(datum.from_row)")
    kinds = ["among the most frequent", "on the way"]
    marks = [
        children.mark_rule(strokeWidth=1).encode(
            x=alt.X("from_rank:Q", title=title, scale=scale), y=alt.Y("from_row:Q", axis=None, scale=y_scale),
            y2="row:Q"),
        children.mark_rule(strokeWidth=1).encode(
            x=alt.X("from_rank:Q", title=title, scale=scale), x2="rank:Q", y=y),
        base.mark_point(filled=True, opacity=1).encode(
            x=x, y=y, color=alt.Color("kind:N", legend=flat(), scale=alt.Scale(domain=kinds)),
            size=alt.Size("share:Q", legend=None, scale=alt.Scale(range=[18, 130])),
            tooltip=[alt.Tooltip("token:N", title="token"), alt.Tooltip("label:N", title="made of"),
                     alt.Tooltip("rank:Q", title="merge", format=".0f"),
                     alt.Tooltip("share:Q", title="share of all tokens", format=".3%"),
                     alt.Tooltip("n_descendants:Q", title="tokens made with it", format=",")]),
        base.mark_text(align="left", dx=9, font=MONO, style="name", fontSize=11.5, text=alt.ExprRef(
            "width < 520 ? datum.token : datum.label")).encode(x=x, y=y),
    ]
    return sized(alt.layer(*marks), TREE_ROW * (len(rows) + 1))


def token_map_chart(rows: Sequence[Row], x_title: str, y_title: str, colour: str, colour_title: str) -> Chart:
    """Draw tokens on the first two components, coloured by a property.

    Parameters
    ----------
    rows : sequence
        ``token, pc1, pc2, count, gc, length_bp``.
    x_title, y_title : str
        Titles of the axes.
    colour, colour_title : str
        Column that sets the colour, and what the legend calls it.
    """
    scale = alt.Scale(range="diverging", interpolate="rgb", type="log" if colour == "count" else "linear")
    shade = alt.Color(
        f"{colour}:Q", scale=scale,
        legend=named(colour_title, gradientLength=160, tickCount=3, format="~s" if colour == "count" else ".2~f"))
    chart = alt.Chart(data(rows)).mark_point(filled=True, size=44, opacity=0.8).encode(
        x=alt.X("pc1:Q", title=x_title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        y=alt.Y("pc2:Q", title=y_title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=shade,
        tooltip=[alt.Tooltip("token:N", title="token"), alt.Tooltip("count:Q", title="occurrences", format=","),
                 alt.Tooltip("gc:Q", title="GC content", format=".0%"),
                 alt.Tooltip("length_bp:Q", title="length")],
    )
    return sized(chart, 380)


def axes_chart(rows: Sequence[Row], properties: Sequence[str]) -> Chart:
    """Draw the rank correlation of components with properties: ``axis, correlates_with, correlation, shown``."""
    base = alt.Chart(data(rows)).encode(
        x=alt.X("correlates_with:N", sort=list(properties), title=None,
                axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False, labelOverlap=False)),
        y=alt.Y("axis:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False)),
        tooltip=[alt.Tooltip("axis:N", title="component"), alt.Tooltip("correlates_with:N", title="property"),
                 alt.Tooltip("correlation:Q", title="rank correlation", format=".3f"),
                 alt.Tooltip("random:Q", title="strongest with random weights", format=".3f")],
    )
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("correlation:Q", legend=None, scale=alt.Scale(
            domain=[-1, 1], range="diverging", interpolate="rgb")),
        opacity=alt.Opacity("size:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.08, 0.75])))
    numbers = base.mark_text(style="name").encode(text="shown:N")
    return sized(alt.layer(cells, numbers), alt.Step(34))


def similarity_chart(rows: Sequence[Row], lines: Sequence[str], tokens: Sequence[Row]) -> Chart:
    """Draw self-similarity by layer: medians and bands of all tokens, single tokens, and baselines.

    Parameters
    ----------
    rows : sequence
        ``line, layer, value, low, high, kind`` (``tokens`` or ``any two vectors``).
    lines : sequence of str
        Order of lines, which sets their colours.
    tokens : sequence
        ``token, layer, value, last`` (its name in the last layer, nothing before).
    """
    x = alt.X("layer:O", title="layer (0: embedding table)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title="mean cosine", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    colour = alt.Color("line:N", scale=alt.Scale(domain=list(lines)),
                       legend=named(symbolType="stroke", symbolOpacity=1,
                                    columns=alt.ExprRef("width < 600 ? 1 : 4")))
    base = alt.Chart(data(rows))
    band = base.mark_area(opacity=0.16).encode(x=x, y=alt.Y("low:Q", title="mean cosine"), y2="high:Q", color=colour)
    hover = [alt.Tooltip("line:N", title="line"), alt.Tooltip("layer:O", title="layer"),
             alt.Tooltip("value:Q", title="mean cosine", format=".3f")]
    strokes = base.mark_line(strokeWidth=2.2).encode(
        x=x, y=y, color=colour,
        strokeDash=alt.StrokeDash("kind:N", legend=None,
                                  scale=alt.Scale(domain=["tokens", "any two"], range=[[1, 0], [5, 3]])))
    dots = base.mark_point(filled=True, size=44, opacity=1).encode(x=x, y=y, color=colour, tooltip=hover)
    single = alt.Chart(data(tokens)).encode(x=x, y=y, detail="token:N")
    thin = single.mark_line(strokeWidth=1.2, style="reference")
    names = single.mark_text(style="number", align="right", dy=-8, font=MONO).encode(text="last:N")
    return sized(alt.layer(band, thin, strokes, dots, names), 320)


def extremes_chart(rows: Sequence[Row]) -> Chart:
    """Draw the tokens most and least like themselves in the last layer: ``token, value, n, side, shown``."""
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("token:N", sort=None, title=None,
                axis=alt.Axis(domain=False, ticks=False, labelFont=MONO, labelLimit=170, labelOverlap=False)))
    x = alt.X("value:Q", title="self-similarity in the last layer", scale=alt.Scale(zero=False, nice=True),
              axis=alt.Axis(format=".2~f", tickCount=5))
    points = base.mark_point(filled=True, size=64, opacity=1).encode(
        x=x, color=alt.Color("side:N", legend=flat(), scale=alt.Scale(domain=["most alike", "least alike"])),
        tooltip=[alt.Tooltip("token:N", title="token"), alt.Tooltip("value:Q", title="self-similarity", format=".3f"),
                 alt.Tooltip("n:Q", title="contexts", format=",")])
    return sized(points, alt.Step(19))
