"""Regions against matched background, on real and made sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.readers.bed import read_bed
from lingome.data.readers.gff import Feature
from lingome.data.sequence import gc_content
from lingome.genome.regions import build_regions, promoter_intervals


@pytest.fixture(scope="module")
def genome(data_dir: Path) -> Genome:
    return Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz")


@pytest.fixture(scope="module")
def places(data_dir: Path) -> list[Interval]:
    return read_bed(data_dir / "ci" / "chr20_30M_32M_cpg_islands.bed")


def test_background_keeps_away_from_what_the_regions_were_sampled_from(genome: Genome, places: list[Interval]):
    sample, rest = places[::4], [Interval("chr20_30M_32M", 0, 1_900_000)]
    examples = build_regions(genome, sample, width_bp=100, match="none", avoid=rest, seed=3)
    assert examples.intervals is not None
    drawn = [one for one, label in zip(examples.intervals, examples.labels, strict=True) if label == 0]
    assert drawn
    assert all(one.start >= 1_900_000 for one in drawn)


def test_matched_background_shares_width_and_gc_but_no_base(genome: Genome, places: list[Interval]):
    examples = build_regions(genome, places, width_bp=300, seed=3)
    assert examples.intervals is not None
    ones = [one for one, label in zip(examples.intervals, examples.labels, strict=True) if label == 1]
    zeros = [one for one, label in zip(examples.intervals, examples.labels, strict=True) if label == 0]
    assert len(ones) == len(places)
    assert len(zeros) >= len(ones) // 2  # islands are rare in GC: some have no match in 2 Mb
    assert {one.length_bp for one in examples.intervals} == {300}
    for zero in zeros:
        assert not any(zero.overlaps(one) for one in (*ones, *places))
    assert not any(a.overlaps(b) for i, a in enumerate(zeros) for b in zeros[:i])
    gcs = np.array([gc_content(text) for text in examples.sequences])
    matched, drawn = gcs[examples.labels == 1], gcs[examples.labels == 0]
    # Each drawn window lies within 0.02 of a region of its own: sorted, none of them is further.
    assert all(np.abs(matched - one).min() <= 0.02 for one in drawn)
    assert not any("N" in text for text in examples.sequences)


def test_the_draw_is_a_function_of_the_seed(genome: Genome, places: list[Interval]):
    one, same, other = (build_regions(genome, places, width_bp=300, seed=seed).ids for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_without_matching_every_region_has_a_window(genome: Genome, places: list[Interval]):
    examples = build_regions(genome, places, width_bp=300, match="none", seed=0)
    assert examples.labels.sum() * 2 == len(examples)


def test_given_negatives_are_used_as_they_are(genome: Genome):
    examples = build_regions(
        genome, [Interval("chr20_30M_32M", 1000, 1010, "-")], negatives=[Interval("chr20_30M_32M", 5000, 5010)]
    )
    assert examples.ids == ["chr20_30M_32M:1000-1010(-)", "chr20_30M_32M:5000-5010"]
    assert examples.sequences[0] == genome.text(Interval("chr20_30M_32M", 1000, 1010, "-"))
    assert examples.labels.tolist() == [1, 0]


def test_windows_that_leave_the_chromosome_are_left_out(genome: Genome):
    with pytest.raises(DataError, match="no window is left"):
        build_regions(genome, [Interval("chr20_30M_32M", 0, 10)], width_bp=300)
    with pytest.raises(DataError, match="there is no chromosome 'chr1'"):
        build_regions(genome, [Interval("chr1", 0, 10)])


def test_promoters_lie_before_the_start_of_the_gene_on_its_strand():
    features = [
        Feature(Interval("I", 1000, 2000, "+", "f"), "gene", {}),
        Feature(Interval("I", 1000, 2000, "-", "r"), "gene", {}),
        Feature(Interval("I", 50, 500, "+", "early"), "gene", {}),
        Feature(Interval("Mito", 600, 900, "+", "m"), "gene", {}),
        Feature(Interval("I", 3000, 3500, ".", "none"), "gene", {}),
    ]
    found = promoter_intervals(features, {"chrI": 2150, "chrM": 5000}, 100, 50)
    # By hand: + starts at 1000: 900..1050. - starts at base 1999 and reads down: 1950..2100.
    assert [str(one) for one in found] == ["chrI:900-1050(+)", "chrI:1950-2100(-)", "chrM:500-650(+)"]
    with pytest.raises(DataError, match="there is no chromosome 'XX'"):
        promoter_intervals([Feature(Interval("XX", 10, 20, "+"), "gene", {})], {"chrI": 100}, 1, 1)
