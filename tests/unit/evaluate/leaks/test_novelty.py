"""Longest exact matches against looking for every stretch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.evaluate.leaks import novelty
from lingome.evaluate.leaks.novelty import longest_matches

dna = st.one_of(st.text("ACGT", max_size=40), st.text("AC", max_size=40), st.text("ACGTN", max_size=40))


def brute(sequence: str, training: list[str]) -> int:
    """Try every stretch of the sequence, longest first, in both strands of the data."""
    texts = [strand for text in training for strand in (text, as_text(reverse_complement(as_bases(text))))]
    for length in range(len(sequence), 0, -1):
        for start in range(len(sequence) - length + 1):
            piece = sequence[start : start + length]
            if "N" not in piece and any(piece in text for text in texts):
                return length
    return 0


@settings(max_examples=150, deadline=None)
@given(st.lists(dna, min_size=1, max_size=4), st.lists(dna, min_size=1, max_size=3))
def test_equal_to_trying_every_stretch(sequences: list[str], training: list[str]):
    found = longest_matches(sequences, lambda: map(as_bases, training))
    assert found.tolist() == [brute(sequence, training) for sequence in sequences]


def test_worked_by_hand():
    """GATTACA holds TTAC; its reverse complement TGTAATC holds GTAAT; N is no letter, and pieces do not join."""
    found = longest_matches(
        ["CTTACC", "GTAATG", "ANTN", "", "NNN"], lambda: map(as_bases, ["GATT", "ACA", "GATTACA"])
    )
    assert found.tolist() == [4, 5, 1, 0, 0]
    assert longest_matches(["GATTACA"], lambda: map(as_bases, ["GATT", "ACA"])).tolist() == [4]


def test_a_planted_copy_is_found_whatever_the_groups(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    genome = "".join(rng.choice(list("ACGT"), 50_000))
    copies = ["".join(rng.choice(list("ACGT"), 200)) for _ in range(6)]
    copies[2] = copies[2][:50] + genome[777:857] + copies[2][130:]
    copies[4] = copies[4][:20] + as_text(reverse_complement(as_bases(genome[9000:9120]))) + copies[4][140:]
    whole = longest_matches(copies, lambda: [as_bases(genome)])
    assert 80 <= whole[2] < 85
    assert 120 <= whole[4] < 125
    assert max(whole[[0, 1, 3, 5]]) < 15
    monkeypatch.setattr(novelty, "GROUP_BASES", 300)
    assert longest_matches(copies, lambda: [as_bases(genome)]).tolist() == whole.tolist()
