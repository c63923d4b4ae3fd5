"""Sections about the vectors of tokens: what they vary along, and how much they depend on context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lingome.report.blocks import Block, Figure, Row, Section, digits, grid_of, rounded, thinned
from lingome.report.charts import tokens as charts
from lingome.report.tables import Tables

AT_MOST_DRAWN = 1500
EXTREMES = 12
CLEAR = 0.3
"""Rank correlation from which a component is said to go with a property."""


def token_axes_section(tables: Tables) -> Section:
    """Show the vectors of tokens on two components, and what all components go along with."""
    blocks: list[Block] = []
    axes = [row for row in tables.get("token_axes", []) if row["correlation"] is not None]
    strongest = max(axes, key=lambda row: abs(row["correlation"]), default=None)
    shares = {row["axis"]: row["variance"] for row in axes}
    if rows := tables.get("token_map"):
        columns = {"frequency": "count", "GC content": "gc", "AG content": "ag", "AC content": "ac",
                   "length": "length_bp"}
        on_map = max((row for row in axes if row["axis"] in ("PC1", "PC2")),
                     key=lambda row: abs(row["correlation"]), default=None)
        name = on_map["correlates_with"] if on_map and on_map["correlates_with"] in columns else "length"
        titles = [f"{axis} ({shares[axis]:.1%} of variance)" if shares.get(axis) is not None else axis
                  for axis in ("PC1", "PC2")]
        title = "Tokens on the first two components of their vectors"
        if on_map:
            title = (f"{on_map['axis']} of the token vectors follows {on_map['correlates_with']} "
                     f"(rank correlation {on_map['correlation']:.2f})")
        fields = ("token", "pc1", "pc2", "count", "gc", "ag", "ac", "length_bp")
        drawn = rounded(thinned(rows, AT_MOST_DRAWN), fields, 4)
        ends = sorted(rows, key=lambda row: row["pc1"])
        ends = ends if len(ends) <= 20 else [*ends[:10], *ends[-10:]]
        blocks.append(Figure(
            "token-map", title,
            f"Scatter plot of {len(rows):,} tokens on two principal components, coloured by {name}. Lowest on PC1: "
            + ", ".join(row["token"] for row in ends[:8]) + "; highest: "
            + ", ".join(row["token"] for row in ends[-8:]) + ".",
            charts.token_map_chart(drawn, titles[0], titles[1], columns[name], name),
            grid_of(rounded(ends, ("token", "pc1", "pc2", "count", "gc", "length_bp"), 3),
                    {"token": "token", "pc1": "PC1", "pc2": "PC2", "count": "occurrences", "gc": "GC",
                     "length_bp": "length"}, note="The two ends of PC1; all tokens are in tables/token_map.tsv."),
            note=f"A point is a token that occurs, coloured by {name}."))
    if strongest:
        blocks.append(_axes(axes, tables.get("token_axes_random", []), shares))
    return Section("token-axes", "Map of the token vectors", blocks)


def _axes(axes: Sequence[Row], random: Sequence[Row], shares: Mapping[str, float | None]) -> Figure:
    control: dict[str, float] = {}
    for row in random:
        if row["correlation"] is not None:
            name = row["correlates_with"]
            control[name] = max(control.get(name, 0.0), abs(row["correlation"]))
    properties = list(dict.fromkeys(row["correlates_with"] for row in axes))
    named = {axis: axis if share is None else f"{axis} ({share:.1%})" for axis, share in shares.items()}
    drawn = [{**row, "axis": named[row["axis"]], "size": abs(row["correlation"]),
              "shown": digits(row["correlation"], 2), "random": control.get(row["correlates_with"])} for row in axes]
    best = {name: max((row for row in axes if row["correlates_with"] == name), key=lambda row: abs(row["correlation"]))
            for name in properties}
    clear = [f"{name} with {row['axis']} ({row['correlation']:.2f})" for name, row in best.items()
             if abs(row["correlation"]) >= CLEAR]
    title = ", ".join(clear)
    title = f"Going together: {title}" if clear else f"No component has a rank correlation of {CLEAR} with a property"
    most = max(control.values(), default=None)
    note = "Rank correlations of components (with their share of the variance) with properties of tokens."
    if most is not None:
        note += f" With random weights, none of them is above {most:.2f}, whatever the sign."
    lines = [{"axis": row["axis"], "variance": row["variance"], "with": row["correlates_with"],
              "correlation": row["correlation"], "random": control.get(row["correlates_with"])} for row in axes]
    grid = grid_of(rounded(lines, ("axis", "variance", "with", "correlation", "random"), 3),
                   {"axis": "axis", "variance": "share of variance", "with": "goes with",
                    "correlation": "rank correlation", "random": "strongest with random weights"})
    return Figure("token-axes-figure", title, "Table of rank correlations, coloured by size and sign. " + title + ".",
                  charts.axes_chart(rounded(drawn, (
                      "axis", "correlates_with", "correlation", "size", "shown", "random"), 4), properties), grid,
                  note=note)


def similarity_section(tables: Tables) -> Section:
    """Show how alike the vectors of a token are across contexts, layer by layer."""
    rows = [row for row in tables["self_similarity"] if row["self_similarity"] is not None]
    if not rows:
        return Section("self-similarity", "Tokens in context", [])
    layers = sorted({row["layer"] for row in rows})
    last = [row for row in rows if row["layer"] == layers[-1]]
    lines = ["tokens, median", "tokens, random weights", "any two vectors", "any two, random weights"]
    drawn = []
    for layer in layers:
        those = [row for row in rows if row["layer"] == layer]
        for line, key in zip(lines, ("self_similarity", "random_weights", "baseline", "random_baseline"), strict=True):
            values = sorted(row[key] for row in those if row[key] is not None)
            if values:
                drawn.append({
                    "line": line, "layer": layer, "value": _quantile(values, 0.5), "low": _quantile(values, 0.1),
                    "high": _quantile(values, 0.9), "kind": "any two" if line.startswith("any") else "tokens"})
    lines = [line for line in lines if any(row["line"] == line for row in drawn)]
    middle = {(row["line"], row["layer"]): row["value"] for row in drawn}
    end = (middle[lines[0], layers[-1]], middle.get(("any two vectors", layers[-1])))
    title = (f"From layer {layers[0]} to {layers[-1]}, a token's self-similarity goes from "
             f"{middle[lines[0], layers[0]]:.2f} to {end[0]:.2f} (median)")
    if end[1] is not None:
        title += f"; that of any two vectors is {end[1]:.2f} there"
    ranked = sorted(last, key=lambda row: -row["self_similarity"])
    ends = ranked if len(ranked) <= 2 * EXTREMES else [*ranked[:EXTREMES], *ranked[-EXTREMES:]]
    tokens = [{"token": row["token"], "layer": row["layer"], "value": row["self_similarity"],
               "last": row["token"] if row["layer"] == layers[-1] else ""}
              for row in rows if row["token"] in (ranked[0]["token"], ranked[-1]["token"])]
    text = title + ". " + "; ".join(
        f"{line}, by layer: " + ", ".join(digits(middle.get((line, layer)), 2) for layer in layers)
        for line in lines) + "."
    blocks: list[Block] = [Figure(
        "self-similarity-layers", title, text,
        charts.similarity_chart(rounded(drawn, ("line", "layer", "value", "low", "high", "kind"), 4), lines,
                                      rounded(tokens, ("token", "layer", "value", "last"), 4)),
        grid_of(rounded(drawn, ("line", "layer", "value", "low", "high"), 3),
                {"line": "line", "layer": "layer", "value": "median", "low": "10% quantile", "high": "90% quantile"}),
        note=f"Bands hold the middle 80% of {len(last):,} tokens. Dashed: mean cosine of any two vectors, the level to "
             "compare with. Thin and grey: the tokens that stay most and least alike.")]
    if len(ranked) > 1:
        fields = {"token": "token", "n": "contexts", "self_similarity": "self-similarity",
                  "baseline": "any two vectors", "random_weights": "with random weights"}
        sided = [{**row, "value": row["self_similarity"], "side": "most alike" if index < (len(ends) + 1) // 2
                  else "least alike"} for index, row in enumerate(ends)]
        blocks.append(Figure(
            "self-similarity-tokens",
            f"{ranked[0]['token']} depends on its context least, {ranked[-1]['token']} most",
            "Self-similarity in the last layer: " + "; ".join(
                f"{row['token']} {row['self_similarity']:.2f}" for row in ends) + ".",
            charts.extremes_chart(rounded(sided, ("token", "value", "n", "side"), 4)),
            grid_of(rounded(ends, tuple(fields), 3), fields, note="All are in tables/self_similarity.tsv."),
            note="Tokens that stand in copies of one repeat meet the same context again and again."))
    return Section("self-similarity", "Tokens in context", blocks,
                   "The mean cosine of a token's vectors in different places: 1 is no effect of context.")


def _quantile(values: Sequence[float], share: float) -> float:
    """Interpolate a quantile of ascending values.

    >>> _quantile([0.0, 1.0, 2.0], 0.25)
    0.5
    """
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])
