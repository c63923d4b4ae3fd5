"""Predictions along a genome: the table ``predictions``, and BED."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lingome.data.examples import Examples
from lingome.genome.sites import SCORE_COLUMN


def prediction_rows(examples: Examples, probabilities: np.ndarray, flank_bp: int = 0) -> list[dict[str, Any]]:
    """Give rows of the table ``predictions``; with `flank_bp`, the places are the motifs inside the windows.

    Parameters
    ----------
    examples : Examples
        N windows, with intervals.
    probabilities : ndarray of float, shape (N, 2)
        Probability of each class; that of the second class is written.
    flank_bp : int
        Bases on either side of the motif in each window.
    """
    assert examples.intervals is not None
    scores = examples.columns.get(SCORE_COLUMN)
    rows = []
    for index, window in enumerate(examples.intervals):
        place = window.widened(-flank_bp, -flank_bp)
        label = int(examples.labels[index])
        rows.append({
            "chrom": place.chrom, "start": place.start, "end": place.end, "strand": place.strand, "name": place.name,
            "probability": float(probabilities[index, 1]),
            "motif_score": float(scores[index]) if scores is not None else None,
            "label": label if label >= 0 else None,
        })
    return rows


def as_bed(rows: Sequence[dict[str, Any]]) -> str:
    """Write BED6 (score is the probability times 1000), then the probability and the motif score in bits."""
    lines = []
    for row in rows:
        line = [row["chrom"], row["start"], row["end"], row["name"], round(1000 * row["probability"]), row["strand"]]
        line.append(f"{row['probability']:.6f}")
        if row["motif_score"] is not None:
            line.append(f"{row['motif_score']:.2f}")
        lines.append("\t".join(str(cell) for cell in line) + "\n")
    return "".join(lines)
