"""Sections of the choice of a vocabulary: the recommendation with its reasons, the curves, the cheap signals."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from lingome.report.blocks import Block, Figure, Grid, Row, Section, Words, digits, grid_of, rounded
from lingome.report.charts import choice as charts
from lingome.report.tables import Tables

AFTER = 1.6
"""Where a vocabulary of unknown size stands: so many times to the right of the largest known."""


def choice_section(tables: Tables) -> Section:
    """Show what is recommended and why, and how far every vocabulary lies behind the best."""
    blocks: list[Block] = [Words([(row["topic"], row["text"]) for row in tables["choice"]])]
    chosen = tables["choice"][0]["vocabulary"]
    rows = _one_each(tables.get("next_kmer", []))
    if rows and all(row["behind"] is not None for row in rows):
        blocks.append(_behind(rows, chosen))
    if controls := tables.get("next_kmer_controls"):
        shown = [{
            "vocabulary": row["vocabulary"], "accuracy": f"{row['accuracy']:.2%}",
            "random": f"{row['random_weights']:.2%}", "gain": _points(row, "gain"),
        } for row in controls]
        blocks.append(grid_of(
            shown, {"vocabulary": "vocabulary", "accuracy": "mean accuracy", "random": "from random weights",
                    "gain": "gain of pre-training, points (95% interval)"},
            right=("accuracy", "random", "gain"), title="With and without pre-training"))
    return Section("choice", "Recommendation", blocks,
                   "The smallest vocabulary that cannot be distinguished from the best is recommended. Differences are "
                   "taken on the same test positions and seeds, which is far sharper than comparing intervals.")


def _behind(rows: Sequence[Row], chosen: str) -> Figure:
    ordered = sorted(rows, key=lambda row: row["behind"])
    drawn = [{
        "vocabulary": str(row["vocabulary"]), "value": 100 * row["behind"], "low": 100 * row["behind_low"],
        "high": 100 * row["behind_high"], "shown": _points(row, "behind"),
        "state": "recommended" if row["vocabulary"] == chosen else "as good as the best" if row["behind_low"] <= 0
        else "behind",
    } for row in ordered]
    tied = [row["vocabulary"] for row in drawn if row["low"] <= 0]
    best = drawn[0]["vocabulary"]
    title = f"{best} is best; {len(drawn) - len(tied)} of {len(drawn)} vocabularies are clearly behind it"
    if len(tied) == len(drawn):
        title = f"No vocabulary stands out: none is clearly behind {best}"
    grid = Grid(["vocabulary", "points behind (95% interval)", ""],
                [[row["vocabulary"], row["shown"], row["state"]] for row in drawn], right=(1,))
    return Figure(
        "behind", title, f"Dot chart of {len(drawn)} vocabularies, best first: "
        + "; ".join(f"{row['vocabulary']} {row['shown']}" for row in drawn) + ".",
        charts.behind_chart(rounded(drawn, tuple(drawn[0]))), grid,
        note="A point is one percent of positions. An interval that reaches the dashed line cannot be distinguished "
             "from the best. The best was picked on the same positions, which favours it a little.",
    )


def next_kmer_section(tables: Tables) -> Section:
    """Show next-k-mer accuracy against vocabularies, over the Markov baseline or chance."""
    rows = tables["next_kmer"]
    against = next((key for key in ("baseline", "chance") if all(row[key] for row in rows)), "")
    words = {"baseline": "the Markov baseline", "chance": "chance", "": "one"}[against]
    places = _places(rows)
    order = sorted(places, key=lambda name: places[name])
    drawn: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: order.index(str(row["vocabulary"]))):
        name = str(row["vocabulary"])
        scale = row[against] if against else 1.0
        drawn.append({**row, "vocabulary": name, "k": str(row["k"]), "bpe": row["merges"] is not None,
                      "tokens": places[name],
                      **{f"ratio{end}": None if row[source] is None else row[source] / scale
                         for end, source in (("", "accuracy"), ("_low", "low"), ("_high", "high"))}})
    means = {name: fmean(row["ratio"] for row in drawn if row["vocabulary"] == name) for name in order}
    top = _best(rows, means)
    columns = ("vocabulary", "tokens", "k", "bpe", "ratio", "ratio_low", "ratio_high", "accuracy", "low", "high",
               "chance", "baseline")
    headings = {key: key for key in ("vocabulary", "merges", "k", "accuracy", "low", "high", "chance")}
    grid = grid_of(rows, headings | {"baseline": "Markov baseline", "n": "items", "seeds": "seeds"})
    title = f"{top} predicts the next bases best: {means[top]:.2f} times {words}, on average over k"
    if paired := all(row.get("behind_low") is not None for row in rows):
        tied = {row["vocabulary"] for row in rows if row["behind_low"] <= 0} - {top}
        if tied:
            title += f"; {len(tied)} of {len(order) - 1} others do as well"
        if len(tied) == len(order) - 1:
            title = f"No vocabulary stands out: {top} is at {means[top]:.2f} times {words}, and no other is clearly "
            title += "behind"
    elif not _stands_out(top, drawn):
        title = f"No vocabulary stands out, their intervals overlap: {top} is at {means[top]:.2f} times {words}"
    sharper = "; differences are sharper" if paired else ""
    figure = Figure(
        "next-kmer", title,
        f"Line chart of next-k-mer accuracy relative to {words}, for {len(order)} vocabularies. Mean over k: "
        + "; ".join(f"{name} {value:.2f}" for name, value in means.items()) + ".",
        charts.accuracy_chart(rounded(drawn, columns), _marks(rows, places), words), grid,
        note=f"The dashed line is {words}: above it, the model knows more. Bands and bars are 95% intervals of each "
             f"alone{sharper}. Circles are byte pairs, diamonds k-mers.",
    )
    return Section("next-kmer", "Choosing the vocabulary", [figure],
                   "The same model, trained on differently cut sequence, guesses the next k bases. "
                   "The task does not depend on how sequence is cut, so vocabularies can be compared.")


def signals_section(tables: Tables) -> Section:
    """Show what cutting and counting says of each vocabulary, without a network."""
    rows = sorted(tables["vocabulary_signals"], key=lambda row: float(row["vocab_size"]))
    places = {str(row["vocabulary"]): float(row["vocab_size"]) for row in rows}
    marks = _marks(rows, places)
    best = min(rows, key=lambda row: float(row["bits_per_base"]))
    markov = rows[0]["markov_bits_per_base"]
    longest = max(rows, key=lambda row: float(row["bases_per_token"]))
    figures = []
    for key, title, axis, guide in (
        ("bits_per_base", f"{best['vocabulary']} needs fewest bits per base in an n-gram model: "
         f"{best['bits_per_base']:.3f}" + ("" if markov is None else f"; a Markov model of bases, {markov:.3f}"),
         "bits per base", None if markov is None else ("Markov model of bases", markov)),
        ("bases_per_token", f"Tokens are up to {longest['bases_per_token']:.1f} bases long on average "
         f"({longest['vocabulary']})", "bases per token", None),
    ):
        drawn = [{"vocabulary": str(row["vocabulary"]), "tokens": row["vocab_size"], "bpe": row["merges"] is not None,
                  "value": row[key], "low": row[f"{key}_low"], "high": row[f"{key}_high"]} for row in rows]
        figures.append(Figure(
            key.replace("_", "-"), title, f"Line chart of {axis} for {len(rows)} vocabularies: "
            + "; ".join(f"{row['vocabulary']} {digits(row['value'])}" for row in drawn) + ".",
            charts.signal_chart(rounded(drawn, tuple(drawn[0]), 6), marks, axis, guide),
            grid_of(rounded(drawn, ("vocabulary", "value", "low", "high")),
                    {"vocabulary": "vocabulary", "value": axis, "low": "low", "high": "high"}),
            note="Bands and bars are 95% intervals over blocks of test bases. "
                 "Circles are byte pairs, diamonds k-mers.",
        ))
    return Section("signals", "Cheap signals", [*figures, _signal_grid(rows)],
                   "What cutting and counting alone says. Bits per base come from an n-gram model of up to three "
                   "tokens before each, whose smoothing was chosen on other bases; the bases scored are those that "
                   "no vocabulary and no model learnt from.")


def _signal_grid(rows: Sequence[Row]) -> Grid:
    shown = [{
        "vocabulary": row["vocabulary"], "vocab_size": row["vocab_size"],
        "tokens_per_base": digits(row["tokens_per_base"]), "bits": digits(row["bits_per_base"], 4),
        "behind": _spread(row, "bits_behind"), "used": f"{row['used_share']:.0%}",
        "frequent": f"{row['frequent_share']:.0%}", "renyi": digits(row["renyi_efficiency"], 2),
        "lengths": f"{row['length_median']} ({row['length_p5']}-{row['length_p95']})",
        "single": f"{row['single_share']:.1%}", "rc": f"{row['rc_share']:.1%}",
    } for row in rows]
    columns = {"vocabulary": "vocabulary", "vocab_size": "tokens", "tokens_per_base": "tokens per base",
               "bits": "bits per base", "behind": "more than the best (95%)", "used": "used",
               "frequent": "used 100 times", "renyi": "Renyi efficiency", "lengths": "length (5-95%)",
               "single": "single letters", "rc": "borders kept on the other strand"}
    return grid_of(shown, columns, right=tuple(columns)[1:], title="All signals",
                   note="Borders kept: share of borders between tokens that are also borders when the reverse "
                        "complement is cut and mirrored; cutting without regard to letters keeps about the "
                        "tokens per base.")


def _spread(row: Row, name: str) -> str:
    return f"{row[name]:.4f} ({row[f'{name}_low']:.4f} to {row[f'{name}_high']:.4f})"


def _points(row: Row, name: str) -> str:
    return f"{100 * row[name]:.2f} ({100 * row[f'{name}_low']:.2f} to {100 * row[f'{name}_high']:.2f})"


def _one_each(rows: Sequence[Row]) -> list[Row]:
    return list({row["vocabulary"]: row for row in reversed(rows)}.values())[::-1]


def _places(rows: Sequence[Row]) -> dict[str, float]:
    """Give each vocabulary its number of tokens; where that is unknown, from its merges, or to the right of all."""
    known = {str(row["vocabulary"]): row.get("vocab_size") or (None if row["merges"] is None else row["merges"] + 9)
             for row in rows}
    beyond = AFTER * max([value for value in known.values() if value] or [10])
    return {name: float(value or beyond) for name, value in known.items()}


def _marks(rows: Sequence[Row], places: dict[str, float]) -> list[dict[str, Any]]:
    """List the vocabularies to name in a chart: characters, and all that are no byte pairs."""
    named = {str(row["vocabulary"]) for row in rows if not row["merges"]}
    return [{"vocabulary": name, "tokens": places[name]} for name in places if name in named]


def _best(rows: Sequence[Row], means: dict[str, float]) -> str:
    """Name the best: by mean accuracy, as the recommendation does; else by the mean ratio."""
    if all(row.get("mean_accuracy") is not None for row in rows):
        return str(max(rows, key=lambda row: float(row["mean_accuracy"]))["vocabulary"])
    return max(means, key=lambda name: means[name])


def _stands_out(top: str, rows: Sequence[Row]) -> bool:
    """Say whether the best lies above the interval of every other one, for some k."""
    for row in rows:
        others = [one["ratio_high"] for one in rows if one["k"] == row["k"] and one["vocabulary"] != top]
        known = [high for high in others if high is not None]
        if row["vocabulary"] == top and row["ratio_low"] is not None and all(row["ratio_low"] > high for high in known):
            return True
    return False
