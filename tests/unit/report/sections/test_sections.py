"""What the page says is what the tables hold: values worked by hand."""

from __future__ import annotations

import itertools
from dataclasses import astuple

import pytest

from lingome.core.warnings import RunWarning
from lingome.report.blocks import Figure, Grid, Section, with_interval
from lingome.report.charts.results import curve_chart
from lingome.report.sections.data import data_section
from lingome.report.sections.overview import cards, warnings
from lingome.report.sections.results import (
    _at,
    best,
    curves_section,
    embedding_section,
    finding,
    main_metric,
    region_section,
    results_section,
)
from lingome.report.sections.training import training_section
from lingome.report.sections.vocabulary import vocabulary_section
from lingome.report.theme import HUES, SCHEMES, SURFACES

EMPTY = {f"{metric}{end}": None for metric in ("auroc", "auprc", "mcc") for end in ("", "_low", "_high")}


def score(name: str, kind: str, **values: float) -> dict:
    rest = {"group": None, "seeds": None, "brier": None, "ece": None, "n_test": 100, "n_positive": 20}
    return {"name": name, "kind": kind, **EMPTY, **rest, **values}


def figures(section: Section) -> dict[str, Figure]:
    return {block.key: block for block in section.blocks if isinstance(block, Figure)}


def test_finding_says_who_wins_and_whether_it_is_sure():
    model = score("net", "model", auroc=0.9, auroc_low=0.88, auroc_high=0.92)
    weak = score("counts", "baseline", auroc=0.8, auroc_low=0.78, auroc_high=0.82)
    near = score("forest", "baseline", auroc=0.87, auroc_low=0.85, auroc_high=0.89)
    strong = score("motif", "baseline", auroc=0.95)
    assert finding([weak, model]) == "net ranks best: AUROC 0.900, 0.100 above the best baseline, counts"
    assert finding([weak, model, near]).endswith("0.030 above the best baseline, forest; their intervals overlap")
    assert finding([model, strong]) == "No model beats the best baseline: net reaches AUROC 0.900, motif 0.950"
    assert finding([model]) == "net: AUROC 0.900"


def test_the_model_that_validation_chose_is_shown_even_if_another_is_luckier_on_the_test_items():
    lucky = score("lucky", "model", auroc=0.95, auroc_low=0.93, auroc_high=0.97)
    chosen = score("chosen", "model", auroc=0.85, auroc_low=0.83, auroc_high=0.87)
    counts = score("counts", "baseline", auroc=0.9, auroc_low=0.88, auroc_high=0.92)
    rows = [lucky, chosen, counts]
    assert best(rows, "model", "chosen") is chosen
    assert finding(rows, "chosen") == "chosen does not beat the best baseline: AUROC 0.850, counts 0.900"
    assert finding([chosen, {**counts, "auroc": 0.8}], "chosen").startswith("chosen: AUROC 0.850, 0.050 above the best")
    shown = cards({"scores": rows}, [], {"best": "chosen"})
    assert shown[0][:2] == ("chosen model: AUROC", "0.850")
    grid = next(block for block in results_section({"scores": rows}, "chosen").blocks if isinstance(block, Grid))
    assert grid.badges == {1: "best baseline", 2: "chosen on validation"}


def test_scores_without_auroc_are_ranked_by_what_there_is():
    rows = [score("a", "model", mcc=-0.1), score("b", "model", mcc=0.4), score("c", "model")]
    assert main_metric(rows) == "mcc"
    assert best(rows, "model") is rows[1]
    assert best(rows, "baseline") is None
    grid = next(block for block in results_section({"scores": rows}).blocks if isinstance(block, Grid))
    assert [row[0] for row in grid.rows] == ["b", "a", "c"]
    assert grid.badges == {0: "best model"}


def test_interval_below_zero_is_readable():
    assert with_interval({"mcc": 0.01, "mcc_low": -0.05, "mcc_high": 0.07}, "mcc") == "0.010 (-0.050 to 0.070)"


def test_curves_are_read_off_between_points():
    points = [{"x": 0.0, "y": 0.0}, {"x": 0.0, "y": 0.4}, {"x": 0.5, "y": 0.8}, {"x": 1.0, "y": 1.0}]
    assert _at(points, 0.0) == 0.4
    assert _at(points, 0.25) == pytest.approx(0.6)
    assert _at(points, 1.0) == 1.0
    assert _at(points[2:], 0.1) is None


def test_curve_titles_quote_the_picked_model():
    rows = [{"name": name, "kind": kind, "curve": curve, "x": x, "y": y, "low": None, "high": None}
            for name, kind, scale in (("net", "model", 1.0), ("gc", "baseline", 0.5)) for curve in ("roc", "pr")
            for x, y in ((0.0, 0.0), (0.1, 0.6 * scale), (0.5, 0.8 * scale), (1.0, scale))]
    scores = [score("gc", "baseline", auroc=0.6), score("net", "model", auroc=0.9)]
    shown = figures(curves_section({"curves": rows, "scores": scores}))
    assert shown["roc"].title == "At 10% false alarms, net finds 60% of the positives"
    assert shown["pr"].title == "To find half of the positives, net is right 80% of the time"
    assert "share of positives" in shown["pr"].note


def test_region_counts_calls_and_hits():
    sites = [{"chrom": "chr20", "start": 100 * i, "end": 100 * i + 19, "strand": "+", "probability": p,
              "motif_score": None, "label": label} for i, (p, label) in enumerate([(0.9, 1), (0.6, 0), (0.2, 1)])]
    other = {**sites[0], "chrom": "chr21"}
    section = region_section({"predictions": [*sites, other]})
    figure = figures(section)["region"]
    assert figure.title == (
        "2 of 3 sites on chr20 have a predicted probability of one half or more; 1 of them lie in a measured peak")
    assert figure.extent == (0.0, 223.0)  # 0 to 219 with 2% around, and nothing before the chromosome
    assert "chr20 has most" in section.lead


def test_embedding_title_names_the_strongest_axis():
    rows = [{"id": str(i), "pc1": float(i), "pc2": 0.0, "label": str(i % 2), "chrom": None, "start": None, "end": None,
             "probability": None, "split": None} for i in range(4)]
    axes = [{"axis": "PC1", "variance": 0.5, "correlates_with": "GC content", "correlation": -0.9},
            {"axis": "PC2", "variance": 0.1, "correlates_with": "length", "correlation": 0.2}]
    figure = figures(embedding_section({"embedding_map": rows, "embedding_axes": axes}))["embedding"]
    assert figure.title == "PC1 follows GC content most (rank correlation -0.90)"
    assert figure.numbers.rows == [["positive", "2", "2.00", "1.41", "0.00", "0.00"],
                                   ["negative", "2", "1.00", "1.41", "0.00", "0.00"]]


def test_vocabulary_counts():
    names = ("id", "token", "length_bp", "count", "frequency", "gc", "rank", "left", "right", "pair_count", "margin")
    rows = [dict(zip(names, (0, "[PAD]", 0, *[None] * 8), strict=True)),
            dict(zip(names, (5, "A", 1, 60, 0.6, 0.0, *[None] * 5), strict=True)),
            dict(zip(names, (6, "C", 1, 30, 0.3, 1.0, *[None] * 5), strict=True)),
            dict(zip(names, (9, "AC", 2, 10, 0.1, 0.5, 0, 5, 6, 12, 3), strict=True))]
    section = vocabulary_section(rows)
    shown = figures(section)
    assert shown["token-length"].title == "Most tokens are 1 bp long (67%); the longest has 2 bp"
    assert shown["rank"].title == "1 of 3 tokens make half of the sequence's tokens"
    assert shown["gc"].title == "Tokens are 50% G or C on average"
    merges = next(block for block in section.blocks if isinstance(block, Grid) and "merges" in block.title)
    assert merges.rows == [["0", "A", "C", "AC", "12", "3"]]


def test_loss_title_gives_perplexity():
    rows = [{"phase": "pretrain", "split": split, "step": step, "tokens": 10 * step, "loss": loss}
            for split in ("train", "valid") for step, loss in ((1, 2.0), (2, 1.0))]
    title = figures(training_section(rows))["loss-pretrain"].title
    assert title == "Loss (pretrain, valid) went from 2.000 to 1.000: perplexity from 7.4 to 2.7"


def test_splits_without_coordinates_are_a_table():
    rows = [{"split": "train", "chrom": None, "start": None, "end": None, "n": 10, "n_positive": 3}]
    blocks = data_section({"splits": rows}).blocks
    assert [type(block) for block in blocks] == [Grid]


def test_warnings_come_worst_first_and_leaks_only_once():
    leak = {"check": "exact copies", "pair": "train-test", "n": 3, "share": 0.1, "verdict": "fail", "what": None}
    fine = {**leak, "verdict": "ok"}
    row = {"level": "warn", "topic": "truncation", "text": "5 windows were cut"}
    assert [astuple(one) for one in warnings({"warnings": [row], "leaks": [leak, fine]})] == [
        ("fail", "leak: exact copies", "3 between train-test"), ("warn", "truncation", "5 windows were cut")]
    for topic in ("leaks", "exact copies"):
        told = {"level": "fail", "topic": topic, "text": "3 copies"}
        assert warnings({"warnings": [told], "leaks": [leak]}) == [RunWarning("fail", topic, "3 copies")]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_can_be_seen(scheme):
    """WCAG 2.2: 4.5:1 for text (1.4.3), 3:1 for graphics (1.4.11)."""
    surface = SURFACES[scheme]
    for text, back in itertools.product(("ink", "quiet", "link"), ("page", "card")):
        assert contrast(surface[text], surface[back]) >= 4.5, (text, back)
    for hue in HUES[scheme]:
        assert contrast(hue, surface["card"]) >= 3, hue


def test_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_chart_refuses_what_vega_lite_does_not_know():
    chart = curve_chart([], ["a"], ["a"], "x", "y", [])
    assert chart.to_dict()["params"] == [{"name": "picked", "value": ["a"]}]
