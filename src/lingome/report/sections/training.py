"""Loss while training, and how well tokens of validation sequence are guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lingome.report.blocks import Block, Figure, Row, Section, grid_of, rounded, thinned
from lingome.report.charts import results as charts

AT_MOST_LINES = 12


def training_section(metrics: Sequence[Row], language: Sequence[Row] = ()) -> Section:
    """Show loss against tokens, and how well tokens of validation sequence are guessed."""
    pretraining = [row for row in metrics if row["phase"].startswith("pretrain")]
    others = [row for row in metrics if not row["phase"].startswith("pretrain")]
    blocks: list[Block] = []
    if pretraining:
        blocks.append(_losses("loss-pretrain", pretraining, both=True))
    if others:
        valid = [row for row in others if row["split"] != "train"]
        blocks.append(_losses("loss-finetune", valid or others, both=False))
    if language:
        columns = {"name": "name", "kind": "kind", "loss": "loss (nats)", "perplexity": "perplexity",
                   "bits_per_base": "bits per base", "loss_outside_repeats": "loss outside repeats",
                   "bits_per_base_outside_repeats": "bits per base outside repeats", "accuracy": "partners found"}
        blocks.append(grid_of(language, columns, title="Guessing tokens of validation sequence"))
    return Section("training", "Training", blocks)


def _losses(key: str, rows: Sequence[Row], *, both: bool) -> Figure:
    x = "tokens" if all(isinstance(row.get("tokens"), int | float) for row in rows) else "step"
    lines: dict[str, list[Row]] = {}
    for index, row in enumerate(rows):
        name = f"{row['phase']}, {row['split']}"
        line = name
        place = row.get(x, index)
        again = 1
        while line in lines and lines[line][-1]["x"] >= place:  # the same phase, run once more
            again += 1
            line = f"{name} ({again})"
        perplexity = perplexity_of(row["loss"]) if both else None
        lines.setdefault(line, []).append({"line": line, "x": place, "loss": row["loss"], "perplexity": perplexity})
    strong = dict(list(lines.items())[:AT_MOST_LINES])
    drawn = [{**row, "dot": len(line) <= 40} for line in strong.values() for row in thinned(line, 300)]
    ends = {line: (values[0]["loss"], values[-1]["loss"]) for line, values in lines.items()}
    main = next((line for line in lines if line.endswith("valid")), next(iter(lines)))
    start, end = ends[main]
    if both:
        title = (f"Loss ({main}) went from {start:.3f} to {end:.3f}: "
                 f"perplexity from {perplexity_of(start):.1f} to {perplexity_of(end):.1f}")
    else:
        name, low = min(((line, min(row["loss"] for row in values)) for line, values in lines.items()),
                        key=lambda item: item[1])
        title = f"Lowest loss: {low:.3f} ({name})"
    text = "Line chart of loss against " + x + ". " + "; ".join(
        f"{line}: from {first:.3f} to {last:.3f}" for line, (first, last) in ends.items()) + "."
    columns = {"line": "line", "x": x, "loss": "loss", "perplexity": "perplexity"}
    shown = [row for line in lines.values() for row in thinned(line, 25)]
    return Figure(key, title, text, charts.loss_chart(rounded(drawn, (*columns, "dot")), x, list(strong)),
                  grid_of(rounded(shown, tuple(columns), 4), columns,
                          note="At most 25 points a line; all are in metrics.jsonl."),
                  note="" if len(strong) == len(lines) else f"The first {len(strong)} of {len(lines)} lines.")


def perplexity_of(loss: float) -> float:
    """Give the perplexity of a loss in nats, finite for any loss."""
    return math.exp(min(loss, 300.0))
