"""Markov models of bases against counts by hand and known entropies."""

from __future__ import annotations

import numpy as np
import pytest

from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.baselines.markov import MarkovModel, WordCounts, next_kmer_table


def test_counts_of_shorter_words() -> None:
    counts = WordCounts([base_codes("AACAANAAC")], 3)
    # 3-mers: AAC ACA CAA AAC; those of two letters end one of them: AC CA AA AC
    assert counts.counts.sum() == 4
    pairs = counts.of(2)
    assert {"AA": pairs[0], "AC": pairs[1], "CA": pairs[4]} == {"AA": 1, "AC": 2, "CA": 1}
    assert counts.of(1).tolist() == [2, 2, 0, 0]


def test_words_do_not_cross_from_one_piece_to_the_next() -> None:
    apart = WordCounts([base_codes("AACA"), base_codes("AAC"), base_codes("A")], 3)
    assert np.array_equal(apart.counts, WordCounts([base_codes("AACANAACNA")], 3).counts)


def test_a_repeat_is_predicted_and_unseen_contexts_fall_back() -> None:
    codes = base_codes("ACGT" * 500)
    counts = WordCounts([codes], 8)
    table = next_kmer_table(counts, counts, 3)
    contexts = np.array([base_codes("ACGTACGT"), base_codes("GTACGTAC")])
    # after ...T comes ACG = 0*16 + 1*4 + 2, after ...C comes GTA = 2*16 + 3*4 + 0
    assert table.predict(contexts).tolist() == [6, 44]
    assert table.order >= 1
    assert table.best.shape == (4**table.order,)


def test_order_zero_is_the_most_frequent_word() -> None:
    rng = np.random.default_rng(0)
    codes = rng.choice(4, 20_000, p=[0.7, 0.1, 0.1, 0.1]).astype(np.uint8)
    table = next_kmer_table(WordCounts([codes[:10_000]], 5), WordCounts([codes[10_000:]], 5), 2)
    assert set(table.best.tolist()) == {0}


def test_bits_of_a_fair_and_of_a_loaded_source() -> None:
    rng = np.random.default_rng(1)
    fair = rng.integers(0, 4, 60_000).astype(np.uint8)
    model = MarkovModel(WordCounts([fair[:40_000]], 6), WordCounts([fair[40_000:50_000]], 6), 5)
    assert model.bits(fair[50_000:]).mean() == pytest.approx(2.0, abs=0.01)
    loaded = rng.choice(4, 60_000, p=[0.5, 0.25, 0.125, 0.125]).astype(np.uint8)
    model = MarkovModel(WordCounts([loaded[:40_000]], 6), WordCounts([loaded[40_000:50_000]], 6), 5)
    assert model.bits(loaded[50_000:]).mean() == pytest.approx(1.75, abs=0.02)  # its entropy


def test_unknown_letters_cost_two_bits() -> None:
    counts = WordCounts([base_codes("ACGT" * 100)], 4)
    bits = MarkovModel(counts, counts, 3).bits(base_codes("ACGNACG"))
    assert bits[3] == 2.0
    assert bits[2] < 0.2
    assert len(bits) == 7
