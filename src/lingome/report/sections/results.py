"""Sections of results: scores, curves, calibration, the embedding map, the region."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from lingome.report.blocks import (
    Figure,
    Grid,
    Legend,
    Row,
    Section,
    digits,
    grid_of,
    number,
    rounded,
    thinned,
    with_interval,
)
from lingome.report.charts import maps
from lingome.report.charts import results as charts
from lingome.report.tables import Tables

METRICS = {"auroc": "AUROC", "auprc": "AUPRC", "mcc": "MCC"}
AT_MOST = 2000
MIDDLE = 2  # of the five places where curves are read off


def main_metric(scores: Sequence[Row]) -> str:
    """Choose what to rank by: AUROC where there is one, else AUPRC, else MCC."""
    return next((key for key in METRICS if any(row[key] is not None for row in scores)), "auroc")


def best(scores: Sequence[Row], kind: str, chosen: str = "") -> Row | None:
    """Find the best row of a kind; None if there is none with a value.

    Of models, the one called `chosen`, if there is one: validation chose it, and scores on the
    test items must not.
    """
    metric = main_metric(scores)
    rows = [row for row in scores if row["kind"] == kind and row[metric] is not None]
    if kind == "model":
        rows = [row for row in rows if row["name"] == chosen] or rows
    return max(rows, key=lambda row: float(row[metric]), default=None)


def ranked(scores: Sequence[Row]) -> list[Row]:
    """Sort rows by the main metric, best first."""
    metric = main_metric(scores)
    return sorted(scores, key=lambda row: float("-inf") if row[metric] is None else row[metric], reverse=True)


def finding(scores: Sequence[Row], chosen: str = "") -> str:
    """Say in a sentence how the model stands to the best baseline: the `chosen` one, else the best."""
    metric = main_metric(scores)
    label = METRICS[metric]
    model = best(scores, "model", chosen)
    baseline = best(scores, "baseline")
    if model is None or baseline is None:
        top = model or baseline
        return f"{top['name']}: {label} {digits(top[metric])}" if top else "No scores"
    gain = model[metric] - baseline[metric]
    if gain <= 0 and model["name"] == chosen:
        return (f"{chosen} does not beat the best baseline: {label} {digits(model[metric])}, "
                f"{baseline['name']} {digits(baseline[metric])}")
    if gain <= 0:
        return (f"No model beats the best baseline: {model['name']} reaches {label} {digits(model[metric])}, "
                f"{baseline['name']} {digits(baseline[metric])}")
    low = model[f"{metric}_low"]
    high = baseline[f"{metric}_high"]
    doubt = "; their intervals overlap" if low is not None and high is not None and low <= high else ""
    how = "" if model["name"] == chosen else " ranks best"
    return (f"{model['name']}{how}: {label} {digits(model[metric])}, {digits(gain)} above the best baseline, "
            f"{baseline['name']}{doubt}")


def results_section(tables: Tables, chosen: str = "") -> Section:
    """Show every model and baseline: table, and dots with intervals."""
    rows = ranked(tables["scores"])
    metric = main_metric(rows)
    tops = {id(row): title_of(row, chosen) for row in (best(rows, "model", chosen), best(rows, "baseline")) if row}
    shown = [
        {**row, **{key: with_interval(row, key) for key in METRICS if row[key] is not None},
         "brier": row["brier"] if row["brier"] is None else digits(row["brier"]),
         "ece": row["ece"] if row["ece"] is None else digits(row["ece"])}
        for row in rows
    ]
    columns = {"name": "name", "auroc": "AUROC (95% interval)", "auprc": "AUPRC (95% interval)",
               "mcc": "MCC (95% interval)", "brier": "Brier", "ece": "ECE", "kind": "kind", "group": "group",
               "seeds": "seeds", "n_test": "test items", "n_positive": "positive"}
    grid = grid_of(shown, columns, right=("auroc", "auprc", "mcc", "brier", "ece"), title="All models and baselines",
                   badges={index: tops[id(row)] for index, row in enumerate(rows) if id(row) in tops})
    drawn = [
        {"name": row["name"], "kind": row["kind"], "value": row[metric], "low": row[f"{metric}_low"],
         "high": row[f"{metric}_high"], "shown": with_interval(row, metric), "brief": digits(row[metric])}
        for row in rows if row[metric] is not None
    ]
    if not drawn:
        return Section("results", "Results", [grid])
    baseline = best(rows, "baseline")
    figure = Figure(
        "scores", finding(rows, chosen),
        f"Dot chart of {METRICS[metric]} of {len(drawn)} models and baselines, best first: "
        + "; ".join(f"{row['name']} {row['shown']}" for row in drawn) + ".",
        charts.scores_chart(drawn, metric, METRICS[metric], baseline[metric] if baseline else None),
        Grid(["name", "kind", f"{METRICS[metric]} (95% interval)"],
             [[row["name"], row["kind"], row["shown"]] for row in drawn]),
        note="Grey ticks mark the best baseline." if baseline else "",
    )
    return Section("results", "Results", [figure, grid])


def title_of(row: Row, chosen: str) -> str:
    """Say why a row of scores is picked out."""
    return "chosen on validation" if row["name"] == chosen else f"best {row['kind']}"


def curves_section(tables: Tables, chosen: str = "") -> Section:
    """Show ROC, precision-recall and calibration curves, with one legend for all."""
    rows = [*tables.get("curves", []), *tables.get("calibration", [])]
    kinds = {row["name"]: row["kind"] for row in rows}
    scores = ranked(tables.get("scores", []))
    picks = (best(scores, "model", chosen), best(scores, "baseline"))
    tops = [row["name"] for row in picks if row and row["name"] in kinds]
    known = [row["name"] for row in scores if row["name"] in kinds]
    names = list(dict.fromkeys([*tops, *known, *kinds]))
    picked = tops or names[:2]
    legend = Legend([(name, index % 8, kinds[name] == "baseline", name in picked) for index, name in enumerate(names)])
    figures = []
    for key in ("roc", "pr"):
        curves = [row for row in tables.get("curves", []) if row["curve"] == key]
        if curves:
            figures.append(_curve_figure(key, curves, names, picked, tables.get("scores", [])))
    if "calibration" in tables:
        figures.append(_calibration_figure(tables["calibration"], names, picked, tables.get("scores", [])))
    return Section("curves", "Curves", [legend, *figures],
                   "Solid lines are models, dashed lines baselines. The buttons show a curve with its 95% band, "
                   "or fade it.")


def _curve_figure(
    key: str, curves: Sequence[Row], names: Sequence[str], picked: Sequence[str], scores: Sequence[Row]
) -> Figure:
    roc = key == "roc"
    x_title, y_title = ("false positive rate", "true positive rate") if roc else ("recall", "precision")
    by_name = {name: [row for row in curves if row["name"] == name] for name in names}
    by_name = {name: points for name, points in by_name.items() if points}
    places = (0.01, 0.05, 0.1, 0.2, 0.5) if roc else (0.1, 0.25, 0.5, 0.75, 0.9)
    values = {name: [_at(points, place) for place in places] for name, points in by_name.items()}
    grid = Grid(["name", *(f"{y_title} at {x_title} {place}" for place in places)],
                [[name, *(digits(value) for value in line)] for name, line in values.items()],
                right=range(1, 6), note="Read off the curves; all points are in tables/curves.tsv.")
    share = next((row["n_positive"] / row["n_test"] for row in scores if row["n_test"] and row["n_positive"]), None)
    guide = [{"x": 0, "y": 0}, {"x": 1, "y": 1}] if roc else [{"x": 0, "y": share}, {"x": 1, "y": share}]
    first = next((name for name in picked if name in values), next(iter(values)))
    title = (f"At 10% false alarms, {first} finds {_percent(values[first][MIDDLE])} of the positives" if roc else
             f"To find half of the positives, {first} is right {_percent(values[first][MIDDLE])} of the time")
    text = (f"{'ROC' if roc else 'Precision-recall'} curves of {len(values)} models and baselines. "
            + "; ".join(f"{name}: {y_title} {digits(line[MIDDLE])} at {x_title} {places[MIDDLE]}"
                        for name, line in values.items()) + ".")
    guide = guide if roc or share is not None else []
    chart = charts.curve_chart(_points(curves), names, picked, x_title, y_title, guide)
    note = ("ROC curve; the dashed diagonal is chance." if roc else
            "Precision-recall curve" + ("; the dashed line is the share of positives, which is chance."
                                        if share is not None else "."))
    return Figure(key, title, text, chart, grid, note=note, picks=True)


def _percent(value: float | None) -> str:
    return "an unknown share" if value is None else f"{value:.0%}"


def _points(curves: Sequence[Row]) -> list[dict[str, Any]]:
    rows = [{**row, "i": index} for index, row in enumerate(curves)]
    return rounded(rows, ("name", "kind", "x", "y", "low", "high", "i"), 4)


def _at(points: Sequence[Row], x: float) -> float | None:
    """Interpolate a curve; where it is vertical, take its upper end."""
    points = sorted(points, key=lambda row: (row["x"], row["y"]))
    below = [row for row in points if row["x"] <= x]
    above = [row for row in points if row["x"] >= x]
    if not below or not above:
        return None
    left = below[-1]
    right = above[0]
    if right["x"] <= left["x"]:
        return float(left["y"])
    return float(left["y"] + (right["y"] - left["y"]) * (x - left["x"]) / (right["x"] - left["x"]))


def _calibration_figure(
    rows: Sequence[Row], names: Sequence[str], picked: Sequence[str], scores: Sequence[Row]
) -> Figure:
    points = _points([{**row, "x": row["predicted"], "y": row["observed"]} for row in rows])
    chart = charts.curve_chart(points, names, picked, "predicted probability", "observed share of positives",
                               [{"x": 0, "y": 0}, {"x": 1, "y": 1}], dots=True)
    errors = {row["name"]: row["ece"] for row in scores if row["ece"] is not None}
    first = next((name for name in picked if name in errors), None)
    title = (f"Probabilities of {first} are off by {errors[first]:.3f} on average" if first else
             "Predicted probability against what was observed")
    text = (f"Calibration curves of {len({row['name'] for row in rows})} models and baselines: observed share of "
            "positives against predicted probability."
            + "".join(f" {name}: expected calibration error {error:.3f}." for name, error in errors.items()))
    columns = {"name": "name", "predicted": "predicted", "observed": "observed", "low": "low", "high": "high",
               "n": "items"}
    return Figure("calibration", title, text, chart, grid_of(thinned(rows, 200), columns), picks=True,
                  note="Calibration: a curve on the dashed diagonal means that of items given 70%, 70% are positive.")


def embedding_section(tables: Tables) -> Section:
    """Show the map of test windows and what its axes follow."""
    rows = tables["embedding_map"]
    axes = tables.get("embedding_axes", [])
    labels = sorted({label_of(row["label"]) for row in rows}, key=lambda name: (name != "positive", name))
    drawn = rounded([{**row, "label": label_of(row["label"]), "place": place(row)} for row in thinned(rows, AT_MOST)],
                    ("id", "pc1", "pc2", "label", "place", "probability"), 4)
    titles = {"pc1": "first component", "pc2": "second component"}
    strongest = max((row for row in axes if row["correlation"] is not None),
                    key=lambda row: abs(row["correlation"]), default=None)
    for row in axes:
        key = row["axis"].lower()
        if key in titles and row["variance"] is not None:
            titles[key] = f"{row['axis']} ({row['variance']:.0%} of variance)"
    title = "Windows on the first two components of the embedding"
    if strongest:
        title = (f"{strongest['axis']} follows {strongest['correlates_with']} most "
                 f"(rank correlation {strongest['correlation']:.2f})")
    groups = []
    for label in labels:
        group = [row for row in rows if label_of(row["label"]) == label]
        spreads = (*_spread(group, "pc1"), *_spread(group, "pc2"))
        groups.append([label, number(len(group)), *(digits(value, 2) for value in spreads)])
    numbers = Grid(["label", "windows", "PC1 mean", "PC1 SD", "PC2 mean", "PC2 SD"], groups, right=range(1, 6),
                   note="Every window is in tables/embedding_map.tsv.")
    few = f" Of {len(rows):,} windows, {len(drawn):,} are drawn." if len(rows) > len(drawn) else ""
    text = (f"Scatter plot of {len(drawn):,} windows on two principal components. "
            + "; ".join(f"{line[0]}: {line[1]} windows around ({line[2]}, {line[4]})" for line in groups) + ".")
    chart = maps.embedding_chart(drawn, labels, titles["pc1"], titles["pc2"])
    figure = Figure("embedding", title, text, chart, numbers,
                    note="A point is a window; the legend picks a label." + few)
    blocks: list[Figure | Grid] = [figure]
    if axes:
        blocks.append(grid_of(axes, {"axis": "axis", "variance": "share of variance", "correlates_with": "goes with",
                                     "correlation": "rank correlation"}, title="What the axes go with"))
    return Section("embedding", "Map of the embedding", blocks)


def _spread(rows: Sequence[Row], key: str) -> tuple[float, float | None]:
    values = [float(row[key]) for row in rows]
    return fmean(values), stdev(values) if len(values) > 1 else None


def label_of(value: object) -> str:
    """Name a label: 1 and 0 become words.

    >>> label_of("1"), label_of(0), label_of("enhancer"), label_of(None)
    ('positive', 'negative', 'enhancer', 'unknown')
    """
    return {"1": "positive", "0": "negative", "1.0": "positive", "0.0": "negative", "None": "unknown"}.get(
        str(value), str(value))


def place(row: Row) -> str:
    """Write an interval, or nothing where there is none.

    >>> place({"chrom": "chr20", "start": 60000, "end": 60019})
    'chr20:60,000-60,019'
    """
    if row.get("chrom") is None or row.get("start") is None or row.get("end") is None:
        return ""
    return f"{row['chrom']}:{number(row['start'])}-{number(row['end'])}"


def region_section(tables: Tables) -> Section:
    """Show predicted sites along their region, over the measured peaks."""
    sites = tables["predictions"]
    counts = {chrom: sum(row["chrom"] == chrom for row in sites) for chrom in {row["chrom"] for row in sites}}
    chrom = max(sorted(counts), key=lambda name: counts[name])
    sites = [row for row in sites if row["chrom"] == chrom]
    peaks = [row for row in tables.get("region_peaks", []) if row["chrom"] == chrom]
    names = {"positive": "in a peak", "negative": "no peak", "unknown": "not measured"}
    rows = [{**row, "label": names.get(label_of(row["label"]), label_of(row["label"])), "place": place(row),
             "centre": (row["start"] + row["end"]) / 2} for row in sites]
    strong = sorted(rows, key=lambda row: row["probability"], reverse=True)[:AT_MOST]
    drawn = sorted(strong, key=lambda row: row["start"])
    labels = [name for name in names.values() if any(row["label"] == name for row in drawn)]
    labels += sorted({row["label"] for row in drawn} - set(labels))
    start = min(row["start"] for row in sites)
    end = max(row["end"] for row in sites)
    margin = max(1, round(0.02 * (end - start)))
    extent = (float(max(0, start - margin)), float(end + margin))
    called = [row for row in rows if row["probability"] >= 0.5]
    right = sum(row["label"] == "in a peak" for row in called)
    title = f"{len(called)} of {len(rows):,} sites on {chrom} have a predicted probability of one half or more"
    if any(row["label"] == "in a peak" for row in rows) and called:
        title += f"; {right} of them lie in a measured peak"
    boxes = [{**row, "place": place(row)} for row in peaks]
    kept = rounded(drawn, ("centre", "place", "strand", "probability", "motif_score", "label", "start", "end"), 9)
    chart = maps.region_chart(kept, rounded(boxes, ("start", "end", "place", "signal"), 9), labels, extent)
    columns = {"place": "site", "strand": "strand", "probability": "predicted", "motif_score": "motif score",
               "label": "measured"}
    shown = [{**row, "probability": digits(row["probability"])} for row in strong[:200]]
    numbers = grid_of(shown, columns, note="Most probable sites first, at most 200; all are in tables/predictions.tsv.")
    text = f"{title}. {len(peaks)} measured peaks. Lollipops stand at sites, as high as the predicted probability."
    detail = Figure("region", title, text, chart, numbers, extent=extent,
                    note="Height is the predicted probability; grey boxes below the line are measured peaks.")
    overview = Figure("overview", "Whole region", f"All {len(drawn)} sites of the region, drawn small.",
                      maps.overview_chart(kept, labels, extent), Grid([], []), drives="region")
    lead = f"The other chromosomes' sites are in tables/predictions.tsv; {chrom} has most." if len(counts) > 1 else ""
    return Section("region", "Predicted sites along the region", [detail, overview], lead)
