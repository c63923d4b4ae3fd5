"""Sections of the choice of a vocabulary."""

from __future__ import annotations

from typing import Any

import pytest

from lingome.core.rundir import RunDir
from lingome.report.blocks import Figure, Grid, Section, Words
from lingome.report.page import spec_of
from lingome.report.sections.choice import choice_section, next_kmer_section, signals_section
from lingome.report.tables import read_tables


def figures(section: Section) -> dict[str, Figure]:
    return {block.key: block for block in section.blocks if isinstance(block, Figure)}


def rows_of(low: float) -> list[dict[str, Any]]:
    return [
        {"vocabulary": name, "merges": merges, "vocab_size": size, "k": k, "accuracy": base * gain,
         "low": base * (gain - 0.1), "high": base * (gain + 0.1), "chance": base / 2, "baseline": base, "n": 10,
         "seeds": 1, "mean_accuracy": gain / 10, "behind": (1.5 - gain) / 10, "behind_low": 0 if gain == 1.5 else low,
         "behind_high": 0.2}
        for name, merges, size, gain in (("6-mers", None, 4105, 1.3), ("BPE-200", 200, 209, 1.5),
                                         ("characters", 0, 9, 1.25))
        for k, base in ((2, 0.1), (3, 0.02))
    ]


def signals() -> list[dict[str, Any]]:
    return [
        {"vocabulary": name, "merges": merges, "vocab_size": size, "tokens_per_base": 1 / length,
         "bases_per_token": length, "bases_per_token_low": length, "bases_per_token_high": length,
         "bits_per_base": bits, "bits_per_base_low": bits - 0.01, "bits_per_base_high": bits + 0.01,
         "bits_behind": bits - 1.8, "bits_behind_low": bits - 1.81, "bits_behind_high": bits - 1.79,
         "markov_bits_per_base": 1.79, "used_share": 1.0, "frequent_share": 0.5, "renyi_efficiency": 0.8,
         "length_p5": 1, "length_median": 3, "length_p95": 6, "single_share": 0.01, "rc_share": 0.05}
        for name, merges, size, bits, length in (("characters", 0, 9, 1.9, 1.0), ("BPE-200", 200, 209, 1.8, 3.4))
    ]


CHOICE = [{"topic": topic, "text": text, "vocabulary": "BPE-200"} for topic, text in (
    ("recommended", "Take BPE-200 (209 tokens): the best."), ("accuracy", "Well."))]


def test_next_kmer_is_relative_to_the_baseline():
    rows = [{"vocabulary": f"BPE-{merges}", "merges": merges, "k": k, "accuracy": base * gain,
             "low": base * (gain - 0.1), "high": base * (gain + 0.1), "chance": base / 2, "baseline": base,
             "n": 10, "seeds": 1}
            for merges, gain in ((200, 1.5), (100, 1.25)) for k, base in ((2, 0.1), (3, 0.02))]
    figure = figures(next_kmer_section({"next_kmer": rows}))["next-kmer"]
    assert figure.title == "BPE-200 predicts the next bases best: 1.50 times the Markov baseline, on average over k"
    assert "BPE-100 1.25; BPE-200 1.50" in figure.text
    wide = [{**row, "low": row["accuracy"] / 2} for row in rows]
    shown = figures(next_kmer_section({"next_kmer": wide}))["next-kmer"]
    assert shown.title.startswith("No vocabulary stands out, their intervals overlap: BPE-200 is at 1.50 times the")
    for row in rows:
        row["baseline"] = None
    assert "3.00 times chance" in figures(next_kmer_section({"next_kmer": rows}))["next-kmer"].title


def test_vocabularies_stand_at_their_size_and_the_others_are_named():
    figure = figures(next_kmer_section({"next_kmer": rows_of(0.01)}))["next-kmer"]
    assert figure.title.startswith("BPE-200 predicts the next bases best: 1.50 times the Markov baseline")
    spec = str(spec_of(figure))
    assert "4105" in spec
    assert "'characters'" in spec
    level = figures(next_kmer_section({"next_kmer": rows_of(-0.01)}))["next-kmer"]
    assert level.title == (
        "No vocabulary stands out: BPE-200 is at 1.50 times the Markov baseline, and no other is clearly behind")
    some = [{**row, "behind_low": 0.01} if row["merges"] == 0 else row for row in rows_of(-0.01)]
    assert figures(next_kmer_section({"next_kmer": some}))["next-kmer"].title.endswith("; 1 of 2 others do as well")


def test_reasons_come_first_and_differences_are_paired():
    controls = [{"vocabulary": "BPE-200", "accuracy": 0.15, "random_weights": 0.14, "gain": 0.01, "gain_low": -0.01,
                 "gain_high": 0.03}]
    section = choice_section({"choice": CHOICE, "next_kmer": rows_of(0.01), "next_kmer_controls": controls})
    words, figure, grid = section.blocks
    assert isinstance(words, Words)
    assert words.terms[0] == ("recommended", "Take BPE-200 (209 tokens): the best.")
    assert isinstance(figure, Figure)
    assert isinstance(grid, Grid)
    assert figure.title == "BPE-200 is best; 2 of 3 vocabularies are clearly behind it"
    assert [row[0] for row in figure.numbers.rows] == ["BPE-200", "6-mers", "characters"]
    assert figure.numbers.rows[1][1:] == ["2.00 (1.00 to 20.00)", "behind"]
    assert figure.numbers.rows[0][2] == "recommended"
    assert grid.rows == [["BPE-200", "15.00%", "14.00%", "1.00 (-1.00 to 3.00)"]]
    level = figures(choice_section({"choice": CHOICE, "next_kmer": rows_of(-0.01)}))["behind"]
    assert level.title == "No vocabulary stands out: none is clearly behind BPE-200"


def test_signals_name_the_best_and_the_markov_model():
    section = signals_section({"vocabulary_signals": signals()})
    shown = figures(section)
    assert shown["bits-per-base"].title == (
        "BPE-200 needs fewest bits per base in an n-gram model: 1.800; a Markov model of bases, 1.790")
    assert "BPE-200 3.400" in shown["bases-per-token"].text
    grid = section.blocks[-1]
    assert isinstance(grid, Grid)
    assert grid.rows[1][4] == "0.0000 (-0.0100 to 0.0100)"
    assert len(grid.columns) == len(grid.rows[0])


@pytest.mark.parametrize("table", ["choice", "vocabulary_signals"])
def test_tables_are_read_from_a_run(tmp_path, table: str):
    rows = {"choice": CHOICE, "vocabulary_signals": signals()}[table]
    with RunDir.create(tmp_path / "run") as run:
        run.write_table(table, rows)
        assert len(read_tables(run)[table]) == 2
