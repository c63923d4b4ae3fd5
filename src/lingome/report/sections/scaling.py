"""Sections of a ladder of models: losses, the laws fitted to them, a recommendation; and attention's cost."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from lingome.report.blocks import Block, Chart, Figure, Row, Section, digits, grid_of, number, rounded, size
from lingome.report.charts.layout import data, named, short_axis, sized
from lingome.report.tables import Tables

POWERS = alt.Axis(format=".0e", tickCount=6)
HEADINGS = {"seconds": "time (s), forward and backward", "bytes": "memory (bytes)"}


def scaling_section(tables: Tables) -> Section:
    """Show a ladder: loss against compute and tokens, values of the laws, the model recommended."""
    runs = tables["ladder"]
    fitted = [row for row in runs if row["in_fit"]]
    blocks: list[Block] = []
    if "ladder_curves" in tables:
        blocks += [_compute_figure(tables, fitted), _tokens_figure(tables, fitted)]
    if "ladder_budget" in tables:
        blocks.append(grid_of(
            [_shown_budget(row) for row in tables["ladder_budget"]],
            {"law": "law", "counted": "N counts", "flops": "operations", "hours": "hours", "parameters": "N",
             "tokens": "D", "tokens_a_parameter": "D / N", "loss": "loss (nats)", "perplexity": "perplexity",
             "bits_per_base": "bits per base", "beyond": "beyond the ladder"},
            title="The model to train with this budget, with 95% intervals",
        ))
    if "ladder_laws" in tables:
        laws = [{**row, "fitted": power(row["fitted"]), "interval": f"{power(row['low'])} to {power(row['high'])}"}
                for row in tables["ladder_laws"]]
        columns = {"law": "law", "counted": "N counts", "value": "value", "fitted": "fitted",
                   "interval": "95% interval"}
        blocks.append(grid_of(laws, columns, title="Both laws", right=("fitted",)))
    if "ladder_noise" in tables:
        columns = {"law": "law", "counted": "N counts", "fit_sd": "runs from the law (nats)",
                   "seed_sd": "seeds from each other (nats)", "seeds": "seeds"}
        blocks.append(grid_of(tables["ladder_noise"], columns, title="The fit and chance, standard deviations"))
    columns = {"size": "size", "seed": "seed", "parameters_without_embeddings": "N without embeddings",
               "parameters": "N, all", "tokens": "D", "steps": "steps", "flops": "6 N D", "loss": "loss (nats)",
               "fitted": "by the law", "perplexity": "perplexity", "bits_per_base": "bits per base",
               "loss_at_start": "loss of random weights", "time_s": "time (s)"}
    shown = [{**row, "flops": power(row["flops"])} for row in runs]
    blocks.append(grid_of(shown, columns, title="Every run", right=("flops",)))
    if "ladder_baselines" in tables:
        columns = {"name": "name", "loss": "loss (nats)", "bits_per_base": "bits per base"}
        blocks.append(grid_of(tables["ladder_baselines"], columns, title="Baselines on the same windows"))
    return Section("scaling", "Scaling", blocks,
                   "Each run has a schedule of its own; all are measured on the same validation windows. "
                   "Intervals come from drawing the runs again, and do not cover a law of the wrong form.")


def attention_section(tables: Tables) -> Section:
    """Show what a longer sequence costs one layer."""
    rows = tables["attention_cost"]
    growth = {(row["part"], row["measure"]): row["exponent"] for row in tables.get("attention_growth", [])}
    columns = {"part": "part", "length": "tokens", "time": "time", "memory": "memory", "parameters": "parameters"}
    shown = [{**row, "time": f"{row['time_s'] * 1000:.3g} ms", "memory": size(row["memory_bytes"])} for row in rows]
    grid = grid_of(shown, columns, right=("time", "memory"))
    figures = []
    for key, measure, what in (("seconds", "time_s", "Time"), ("bytes", "memory_bytes", "Memory")):
        powers = "; ".join(f"{part}: length to the power of {digits(value, 2)}"
                           for (part, name), value in growth.items() if name == measure)
        drawn = [{"part": row["part"], "length": row["length"], "value": row[measure]} for row in rows]
        figures.append(Figure(
            f"attention-{key}", f"{what} of one layer, {powers}" if powers else f"{what} of one layer",
            f"{what} against length on logarithmic axes, one line per part. {powers}.",
            _cost_chart(rounded(drawn, ("part", "length", "value")), HEADINGS[key]), grid,
        ))
    lead = ("Compute and memory of attention grow quadratically with the length, parameters do not. A fused kernel "
            "keeps no scores: its memory grows linearly, its time still quadratically.")
    return Section("attention-cost", "Attention and length", figures, lead)


def power(value: float) -> str:
    """Write a number that may be huge.

    >>> power(0.3478), power(2085.43), power(5.76e23)
    ('0.348', '2,085', '5.76e+23')
    """
    return f"{value:.3g}" if abs(value) < 1000 or abs(value) >= 1e6 else f"{value:,.0f}"


def _shown_budget(row: Row) -> dict[str, object]:
    """Write a recommendation as text."""
    def between(name: str, places: int = 0) -> str:
        low, value, high = (row[f"{name}{end}"] for end in ("_low", "", "_high"))
        if places:
            return f"{value:.{places}f} ({low:.{places}f} to {high:.{places}f})"
        return f"{power(value)} ({power(low)} to {power(high)})"

    beyond = max(row[f"{name}_beyond"] for name in ("flops", "parameters", "tokens"))
    return {
        "law": row["law"], "counted": row["counted"], "flops": power(row["flops"]),
        "hours": f"{row['hours']:.3g}", "parameters": between("parameters"), "tokens": between("tokens"),
        "tokens_a_parameter": between("tokens_a_parameter"), "loss": between("loss", 3),
        "perplexity": digits(row["perplexity"], 1), "bits_per_base": digits(row["bits_per_base"]),
        "beyond": f"{beyond:.3g} times",
    }


def _compute_figure(tables: Tables, runs: Sequence[Row]) -> Figure:
    best = [row for row in tables["ladder_curves"] if row["curve"] == "best"]
    baselines = tables.get("ladder_baselines", [])
    budget = tables.get("ladder_budget", [])[:1]
    low = min(runs, key=lambda row: float(row["loss"]))
    reached = f"{low['loss']:.3f} nats per token ({low['size']}, {number(low['tokens'])} tokens)"
    title = f"Lowest loss of the ladder: {reached}"
    if budget and budget[0]["parameters_high"] <= 10 * budget[0]["parameters_low"]:
        title += (f"; {power(budget[0]['flops'])} operations are to reach {budget[0]['loss']:.3f} "
                  f"({budget[0]['loss_low']:.3f} to {budget[0]['loss_high']:.3f})")
    text = (f"Loss against operations of {len(runs)} runs, and Chinchilla's best loss of each budget, from "
            f"{best[0]['loss']:.3f} at {power(best[0]['flops'])} to {best[-1]['loss']:.3f} at "
            f"{power(best[-1]['flops'])}. " + " ".join(f"{row['name']}: {row['loss']:.3f}." for row in baselines))
    columns = {"size": "size", "tokens": "D", "operations": "6 N D", "loss": "loss (nats)", "fitted": "by the law"}
    shown = [{**row, "operations": power(row["flops"])} for row in runs]
    return Figure(
        "loss-compute", title, text, _compute_chart(runs, best, baselines, budget), grid_of(shown, columns),
        note="Lines join the runs of a size. The band is the law's lowest loss for each budget, with its 95% "
             "interval; the diamond is the recommendation; dashed lines are baselines.",
    )


def _compute_chart(runs: Sequence[Row], best: Sequence[Row], baselines: Sequence[Row], budget: Sequence[Row]) -> Chart:
    x = alt.X("flops:Q", title="operations of training, 6 N D", scale=alt.Scale(type="log"), axis=POWERS)
    y = alt.Y("loss:Q", title="loss (nats per token)", scale=alt.Scale(zero=False))
    sizes = list(dict.fromkeys(row["size"] for row in runs))
    colour = alt.Color("size:N", scale=alt.Scale(domain=sizes), legend=named("size", symbolType="circle"))
    curve = alt.Chart(data(rounded(best, ("flops", "loss", "low", "high", "tokens", "parameters"))))
    points = alt.Chart(data(rounded(runs, ("size", "tokens", "flops", "loss", "fitted", "parameters")))).encode(
        x=x, y=y, color=colour,
        tooltip=[alt.Tooltip("size:N", title="size"), alt.Tooltip("tokens:Q", title="tokens", format=","),
                 alt.Tooltip("loss:Q", title="loss", format=".4f"),
                 alt.Tooltip("fitted:Q", title="by the law", format=".4f")],
    )
    layers = [
        curve.mark_area(opacity=0.18, style="box").encode(x=x, y=alt.Y("low:Q", title="loss (nats per token)"),
                                                          y2="high:Q"),
        curve.mark_line(style="guide", strokeDash=[1, 0]).encode(x=x, y=y),
        points.mark_line(strokeWidth=1.2, opacity=0.6),
        points.mark_point(filled=True, size=55, opacity=1),
    ]
    if baselines:
        lines = alt.Chart(data(rounded(baselines, ("name", "loss"))))
        layers += [
            lines.mark_rule(style="guide", strokeDash=[4, 4]).encode(y=y),
            lines.mark_text(align="left", baseline="bottom", dx=4, style="number").encode(
                x=alt.value(0), y=y, text="name:N"),
        ]
    if budget:
        aim = alt.Chart(data(rounded(budget, ("flops", "loss", "loss_low", "loss_high"))))
        layers += [
            aim.mark_rule(style="reference").encode(x=x, y=alt.Y("loss_low:Q", title="loss (nats per token)"),
                                                    y2="loss_high:Q"),
            aim.mark_point(filled=True, shape="diamond", size=110, style="reference", opacity=1).encode(
                x=x, y=y, tooltip=[alt.Tooltip("loss:Q", title="expected loss", format=".3f")]),
        ]
    return sized(alt.layer(*layers), 340)


def _tokens_figure(tables: Tables, runs: Sequence[Row]) -> Figure:
    curves = [row for row in tables["ladder_curves"] if row["curve"] == "size"]
    ends: dict[str, list[Row]] = {}
    for row in runs:
        ends.setdefault(row["size"], []).append(row)
    said = "; ".join(f"{name}: from {rows[0]['loss']:.3f} to {rows[-1]['loss']:.3f}" for name, rows in ends.items())
    far = max(runs, key=lambda row: abs(row["loss"] - row["fitted"]))
    x = alt.X("tokens:Q", title="tokens of training, D", scale=alt.Scale(type="log", nice=False), axis=short_axis())
    y = alt.Y("loss:Q", title="loss (nats per token)", scale=alt.Scale(zero=False))
    colour = alt.Color("size:N", scale=alt.Scale(domain=list(ends)), legend=named("size", symbolType="circle"))
    lines = alt.Chart(data(rounded(curves, ("size", "tokens", "loss"))))
    chart = alt.layer(
        lines.mark_line(strokeDash=[4, 3], strokeWidth=1.5).encode(x=x, y=y, color=colour),
        alt.Chart(data(rounded(runs, ("size", "tokens", "loss", "fitted")))).mark_point(
            filled=True, size=55, opacity=1).encode(
            x=x, y=y, color=colour,
            tooltip=[alt.Tooltip("size:N", title="size"), alt.Tooltip("tokens:Q", title="tokens", format=","),
                     alt.Tooltip("loss:Q", title="loss", format=".4f")]),
    )
    return Figure(
        "loss-tokens",
        f"Chinchilla's law passes the runs within {abs(far['loss'] - far['fitted']):.3f} nats",
        f"Loss against tokens, a colour a size, dots measured, dashed lines by the law. {said}.", sized(chart, 300),
        grid_of(list(runs), {"size": "size", "tokens": "D", "loss": "loss (nats)", "fitted": "by the law"}),
    )


def _cost_chart(rows: Sequence[Row], title: str) -> Chart:
    base = alt.Chart(data(rows)).encode(
        x=alt.X("length:Q", title="tokens of the sequence", scale=alt.Scale(type="log", base=2),
                axis=alt.Axis(format=",", tickCount=6)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(type="log"), axis=alt.Axis(format="~s", tickCount=5)),
        color=alt.Color("part:N", sort=None, legend=named(symbolType="stroke")),
        tooltip=[alt.Tooltip("part:N", title="part"), alt.Tooltip("length:Q", title="tokens", format=","),
                 alt.Tooltip("value:Q", title=title, format=".3s")],
    )
    return sized(alt.layer(base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=45, opacity=1)), 260)
