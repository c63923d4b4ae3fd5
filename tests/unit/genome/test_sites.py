"""Motif sites: found, labelled and read as worked out by hand on a small genome."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.motifs import STEPS_PER_BIT, Motif, select
from lingome.data.readers.bed import read_narrow_peak
from lingome.data.readers.jaspar import read_jaspar
from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.genome.sites import base_shares, build_sites, find_sites, site_windows

EQUAL = (0.25, 0.25, 0.25, 0.25)


def motif_of(word: str) -> Motif:
    counts = np.zeros((4, len(word)))
    counts[["ACGT".index(letter) for letter in word], np.arange(len(word))] = 100
    return Motif("M1", "made", counts)


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    """AACGG forward at 20 and 60, and its reverse complement CCGTT at 40; N from 66 on."""
    bases = list("T" * 70)
    bases[20:25], bases[60:65], bases[40:45] = "AACGG", "AACGG", "CCGTT"
    bases[66:] = "NNNN"
    path = tmp_path / "g.fa"
    path.write_text(">chrA\n" + "".join(bases) + "\n")
    return Genome.open(path)


def test_base_shares_by_hand(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">a\nAACG\n>b\nTNNN\n")
    assert base_shares(Genome.open(tmp_path / "g.fa")).tolist() == [0.4, 0.2, 0.2, 0.2]
    (tmp_path / "h.fa").write_text(">a\nAAAN\n")
    with pytest.raises(DataError, match="none of them zero"):
        base_shares(Genome.open(tmp_path / "h.fa"))


def test_sites_are_found_on_both_strands(genome: Genome):
    sites = find_sites(genome, motif_of("AACGG"), p_value=0.002, background=EQUAL)
    assert [(s.start, s.end, s.strand) for s in sites] == [(20, 25, "+"), (40, 45, "-"), (60, 65, "+")]
    # log2(p / 0.25) with p = (100 + 0.2) / 100.8 is 1.99 bits a letter, by hand.
    assert sites[0].score == pytest.approx(5 * 1.99, abs=0.01)


def test_windows_are_read_on_the_strand_of_the_motif(genome: Genome):
    sites = find_sites(genome, motif_of("AACGG"), p_value=0.002, background=EQUAL)
    windows = site_windows(genome, sites, flank_bp=3)
    assert [text[3:8] for text in windows.sequences] == ["AACGG", "AACGG"]
    assert windows.ids == ["chrA:17-28(+)", "chrA:37-48(-)"]  # the third window reaches into N
    assert windows.labels.tolist() == [-1, -1]
    assert windows.sequences[1] == as_text(reverse_complement(genome.sequence("chrA", 37, 48)))


def test_windows_beyond_the_chromosome_and_in_the_blacklist_are_left_out(genome: Genome):
    sites = find_sites(genome, motif_of("AACGG"), p_value=0.002, background=EQUAL)
    assert site_windows(genome, sites, flank_bp=21).ids == ["chrA:19-66(-)"]
    assert site_windows(genome, sites, flank_bp=1, blacklist=[Interval("chrA", 24, 30)]).ids == [
        "chrA:39-46(-)", "chrA:59-66(+)"
    ]
    # Touching is not overlapping.
    assert len(site_windows(genome, sites, flank_bp=1, blacklist=[Interval("chrA", 25, 40)])) == 3


def test_the_label_is_whether_the_middle_lies_in_a_peak(genome: Genome):
    # The middle base of [20, 25) is 22; of [40, 45) it is 42.
    examples = build_sites(
        genome, motif_of("AACGG"), [Interval("chrA", 22, 23), Interval("chrA", 43, 60)], p_value=0.002, flank_bp=1,
        background=EQUAL,
    )
    assert examples.labels.tolist() == [1, 0, 0]
    with pytest.raises(DataError, match="every site of made is unbound"):
        build_sites(genome, motif_of("AACGG"), [Interval("chrA", 0, 5)], p_value=0.002, background=EQUAL, flank_bp=1)


def test_a_palindrome_is_one_site_and_overlapping_hits_leave_the_best(tmp_path: Path):
    path = tmp_path / "g.fa"
    path.write_text(">chrA\nTTTTTTGATCTTTTTTTT\n")
    sites = find_sites(Genome.open(path), motif_of("GATC"), p_value=0.01, background=EQUAL)
    assert [(s.start, s.strand) for s in sites] == [(6, "+")]
    # AAAC matches whole at 7; AAAA at 6, with three letters of four, shares bases with it and is dropped.
    path.write_text(">chrA\nTGTGTGAAAACGTGTG\n")
    counts = motif_of("AAAC").counts + 30
    sites = find_sites(Genome.open(path), Motif("M", "soft", counts), p_value=0.06, background=EQUAL)
    assert (7, "+") in [(s.start, s.strand) for s in sites]
    assert all(not a.overlaps(b) for a in sites for b in sites if a is not b)


def test_a_region_gives_the_sites_within_it(genome: Genome):
    motif = motif_of("AACGG")
    inside = find_sites(genome, motif, p_value=0.002, background=EQUAL, regions=[Interval("chrA", 21, 65)])
    assert [s.start for s in inside] == [40, 60]


def test_real_ctcf_sites_are_the_motif_and_some_are_bound(data_dir: Path):
    genome = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz")
    motif = select(read_jaspar(data_dir / "annotation" / "jaspar2024_selected.jaspar"), "MA0139.1")
    peaks = [peak.interval for peak in read_narrow_peak(data_dir / "ci" / "chr20_30M_32M_ctcf.narrowPeak")]
    examples = build_sites(genome, motif, peaks)
    assert {len(text) for text in examples.sequences} == {251}
    assert 0 < examples.labels.sum() < len(examples)
    # The motif stands forward in the middle of the window: its letters there add up to the score.
    scores = examples.columns["motif score"]
    weights = motif.integer_scores(base_shares(genome)) / STEPS_PER_BIT
    best = int(scores.argmax())
    core = as_bases(examples.sequences[best][116:135])
    by_hand = sum(weights["ACGT".index(chr(letter)), at] for at, letter in enumerate(core))
    assert scores[best] == pytest.approx(by_hand, abs=1e-6)
    # A site's score tells bound from unbound, on average.
    assert scores[examples.labels == 1].mean() > scores[examples.labels == 0].mean()
