"""Predictions along a genome: places of motifs inside windows, and BED."""

from __future__ import annotations

import numpy as np

from lingome.data.examples import Examples
from lingome.data.interval import Interval
from lingome.genome.predictions import as_bed, prediction_rows
from lingome.genome.sites import SCORE_COLUMN


def test_rows_name_the_motif_and_bed_holds_probability_and_score():
    windows = [Interval("chr1", 100, 160, "-", "CTCF"), Interval("chr2", 0, 60, "+")]
    examples = Examples(
        ["A" * 60] * 2, np.array([1, -1]), np.array(["", ""], dtype=object), ["a", "b"], windows,
        columns={SCORE_COLUMN: np.array([12.345, 8.0])},
    )
    rows = prediction_rows(examples, np.array([[0.25, 0.75], [0.9995, 0.0005]]), flank_bp=20)
    assert [(row["start"], row["end"], row["label"]) for row in rows] == [(120, 140, 1), (20, 40, None)]
    assert as_bed(rows) == (
        "chr1\t120\t140\tCTCF\t750\t-\t0.750000\t12.35\n" "chr2\t20\t40\t.\t0\t+\t0.000500\t8.00\n"
    )


def test_windows_without_a_motif_have_no_score():
    examples = Examples(["ACGT"], np.array([-1]), np.array([""], dtype=object), ["a"], [Interval("c", 5, 9, "+", "x")])
    rows = prediction_rows(examples, np.array([[0.5, 0.5]]))
    assert rows[0]["motif_score"] is None
    assert as_bed(rows) == "c\t5\t9\tx\t500\t+\t0.500000\n"
