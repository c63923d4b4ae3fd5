"""Composition of generated sequences, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chisquare

from lingome.core.errors import DataError
from lingome.data.sequence import as_bases
from lingome.evaluate.language.composition import (
    composition_rows,
    fit_markov,
    kmer_spectrum,
    sample_markov,
    sample_uniform,
    sample_windows,
    spectrum_distance,
)


def test_spectra_worked_by_hand():
    """AACA has AA AC CA, GN nothing: a third each, at 0, 1 and 4."""
    spectrum = kmer_spectrum(["AACA", "GN"], 2)
    assert spectrum[[0, 1, 4]].tolist() == pytest.approx([1 / 3] * 3)
    assert spectrum.sum() == pytest.approx(1)
    assert kmer_spectrum(["A"], 2).sum() == 0


def test_distance_equals_scipys():
    rng = np.random.default_rng(0)
    one, other = rng.dirichlet(np.ones(16)), rng.dirichlet(np.ones(16))
    assert spectrum_distance(one, other) == pytest.approx(jensenshannon(one, other, base=2) ** 2)
    assert spectrum_distance(one, one) == 0


def test_markov_samples_follow_the_model():
    """Of data in which A is followed by C or G alone, the samples show the same, with the model's shares."""
    rng = np.random.default_rng(1)
    text = "A"
    while len(text) < 30_000:
        text += {"A": "CG", "C": "GT", "G": "TA", "T": "AC"}[text[-1]][int(rng.random() < 0.3)]
    model = fit_markov([as_bases(text)])
    assert model.order >= 1
    samples = sample_markov(model, [400] * 50, seed=0)
    assert {len(one) for one in samples} == {400}
    pairs = kmer_spectrum(samples, 2).reshape(4, 4)
    after_a = pairs[0] / pairs[0].sum()
    assert after_a[[0, 3]].sum() < 0.01
    assert after_a[1] == pytest.approx(0.7, abs=0.03)
    assert samples == sample_markov(model, [400] * 50, seed=0) != sample_markov(model, [400] * 50, seed=1)
    assert all(one[0] in "CG" for one in sample_markov(model, [3] * 50, seed=0, prompt="TTA"))
    assert [len(one) for one in sample_markov(model, [2, 0, 5], seed=0, prompt="NNT")] == [2, 0, 5]


def test_uniform_bases_are_uniform():
    counts = kmer_spectrum(sample_uniform([10_000, 10_000], seed=0), 1) * 20_000
    assert chisquare(counts).pvalue > 1e-3


def test_windows_stand_in_the_data():
    pieces = [as_bases("N" * 40 + "ACGGATCGATTAC"), as_bases("TTTGC")]
    windows = sample_windows(pieces, [5, 5, 5, 100], seed=0)
    assert [len(one) for one in windows] == [5, 5, 5]
    assert all(one in "ACGGATCGATTAC" or one == "TTTGC" for one in windows)


def test_rows_name_the_sets_and_give_no_novelty_of_the_data_itself():
    spectrum = kmer_spectrum(["GGCC" * 10], 2)
    rows = composition_rows(
        {"model": ["GGCC", "AATT"], "own": ["GGCC"], "none": []}, spectrum, 2, {"model": np.array([3, 4])}, seed=0
    )
    assert [(row["name"], row["n"], row["gc"]) for row in rows] == [("model", 2, 0.5), ("own", 1, 1.0)]
    assert rows[0]["gc_low"] == 0
    assert rows[0]["gc_high"] == 1
    assert rows[0]["longest_match_median"] == 3.5
    assert rows[1]["longest_match_max"] is None
    assert rows[0]["2mer_distance_bits"] > rows[1]["2mer_distance_bits"]


def test_too_little_data_is_refused():
    with pytest.raises(DataError, match="too little"):
        fit_markov([as_bases("ACG")])
