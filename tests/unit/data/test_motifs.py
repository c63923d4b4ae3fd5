"""Scores, exact thresholds and scans against brute force."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.motifs import STEPS_PER_BIT, Motif, scan, score_threshold, select
from lingome.data.readers.jaspar import read_jaspar
from lingome.data.sequence import as_bases, as_text, reverse_complement

UNIFORM = np.full(4, 0.25)
SKEWED = np.array([0.3, 0.2, 0.2, 0.3])
SMALL = Motif("M1.1", "small", np.array([[8, 0, 1, 0], [0, 8, 1, 0], [0, 0, 5, 2], [0, 0, 1, 6.0]]))


def test_log_odds_by_hand() -> None:
    """Column 1, letter A: p = (8 + 0.8/4) / 8.8 = 0.93182, log2(p / 0.25) = 1.8981."""
    scores = SMALL.integer_scores(UNIFORM)
    assert scores.shape == (4, 4)
    assert scores[0, 0] == 190
    assert scores[1, 0] == -346  # log2(0.2 / 8.8 / 0.25) = -3.4594


def brute_scores(motif: Motif, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    table = motif.integer_scores(background)
    words = list(itertools.product(range(4), repeat=motif.length_bp))
    sums = np.array([sum(table[letter, at] for at, letter in enumerate(word)) for word in words])
    chances = np.array([np.prod(background[list(word)]) for word in words])
    return sums, chances


@pytest.mark.parametrize("background", [UNIFORM, SKEWED])
@pytest.mark.parametrize("p_value", [0.5, 0.1, 0.01, 0.004])
def test_threshold_equals_enumeration_of_all_words(background: np.ndarray, p_value: float) -> None:
    sums, chances = brute_scores(SMALL, background)
    limit = round(score_threshold(SMALL, p_value, background) * 100)
    assert chances[sums >= limit].sum() <= p_value
    assert chances[sums >= limit - 1].sum() > p_value


def test_a_p_value_no_word_can_have_gives_a_score_no_word_reaches() -> None:
    sums, _ = brute_scores(SMALL, UNIFORM)
    assert score_threshold(SMALL, 1e-9, UNIFORM) * 100 > sums.max()
    with pytest.raises(DataError, match="p-value"):
        score_threshold(SMALL, 1.5, UNIFORM)


def reference_scan(motif: Motif, text: str, threshold: float, background: np.ndarray) -> list[tuple[int, str, int]]:
    table = motif.integer_scores(background)
    hits = []
    for start in range(len(text) - motif.length_bp + 1):
        window = text[start : start + motif.length_bp]
        if "N" in window:
            continue
        for strand, letters in (("+", window), ("-", as_text(reverse_complement(as_bases(window))))):
            score = int(sum(table["ACGT".index(letter), at] for at, letter in enumerate(letters)))
            if score >= round(threshold * 100):
                hits.append((start, strand, score))
    return hits


@settings(deadline=None)
@given(st.text(alphabet="ACGTN", max_size=120), st.sampled_from([0.3, 0.05, 0.01]))
def test_scan_equals_a_plain_search(text: str, p_value: float) -> None:
    threshold = score_threshold(SMALL, p_value, SKEWED)
    positions, strands, scores = scan(SMALL, as_bases(text), threshold, SKEWED)
    found = list(zip(positions.tolist(), strands.tolist(), np.rint(scores * 100).astype(int).tolist(), strict=True))
    assert found == reference_scan(SMALL, text, threshold, SKEWED)


def test_many_hits_outgrow_the_first_buffer() -> None:
    text = "ACGT" * 3000
    threshold = -100.0
    positions, strands, _ = scan(SMALL, as_bases(text), threshold, UNIFORM)
    assert len(positions) == 2 * (len(text) - 3)
    assert (strands[::2] == "+").all()
    assert (strands[1::2] == "-").all()


def test_ctcf_on_the_slice(data_dir: Path) -> None:
    """The consensus of MA0139.1, TGGCCACCAGGGGGCGCTA, is its best word."""
    motif = select(read_jaspar(data_dir / "annotation" / "jaspar2024_selected.jaspar"), "MA0139.1")
    assert motif.name == "CTCF"
    assert motif.length_bp == 19
    bases = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M")
    counts = np.array([np.count_nonzero(bases == letter) for letter in b"ACGT"])
    background = counts / counts.sum()
    table = motif.integer_scores(background) / STEPS_PER_BIT
    assert "".join("ACGT"[letter] for letter in table.argmax(axis=0)) == "TGGCCACCAGGGGGCGCTA"
    threshold = score_threshold(motif, 1e-5, background)
    positions, strands, scores = scan(motif, bases, threshold, background)
    assert 20 <= len(positions) <= 400  # 40 by chance, more because CTCF sites are real
    assert scores.min() >= threshold
    at, strand = int(positions[0]), str(strands[0])
    site = bases[at : at + 19] if strand == "+" else reverse_complement(bases[at : at + 19])
    by_hand = sum(table["ACGT".index(letter), i] for i, letter in enumerate(as_text(site)))
    assert scores[0] == pytest.approx(by_hand)


def test_select_by_id_base_and_name() -> None:
    counts = np.ones((4, 2))
    motifs = [Motif("M1.2", "one", counts), Motif("M1.10", "one", counts), Motif("M2.1", "two", counts),
              Motif("M3.1", "Two", counts)]
    assert select(motifs, "M1.2") is motifs[0]
    assert select(motifs, "M1") is motifs[1]
    assert select(motifs, "ONE") is motifs[1]
    with pytest.raises(DataError, match="several"):
        select(motifs, "two")
    with pytest.raises(DataError, match="no motif"):
        select(motifs, "M9")
