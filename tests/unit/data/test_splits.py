"""Splits: gaps hold, fractions hold, copies stay together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.config.parts.task import SplitSettings
from lingome.core.errors import ConfigError, DataError
from lingome.data.examples import Examples
from lingome.data.interval import Interval
from lingome.data.sequence import as_bases, as_text, reverse_complement
from lingome.data.splits import blocks_of, divide, split_by_blocks, split_by_chromosome, split_random

EVEN = [Interval("c", at, at + 10) for at in range(0, 10_000, 10)]


def test_blocks_by_hand() -> None:
    """1,000 intervals of 10 bp; cuts at 8,005 and 9,005 (middles), gaps of 100 around them."""
    blocks = blocks_of(EVEN, {"c": 10_000}, (0.8, 0.1, 0.1), 100)
    assert [(block.name, block.start, block.end) for block in blocks] == [
        ("train", 0, 7955), ("valid", 8055, 8955), ("test", 9055, 10_000),
    ]
    splits = split_by_blocks(EVEN, {"c": 10_000}, (0.8, 0.1, 0.1), 100)
    assert {name: int((splits == name).sum()) for name in ("train", "valid", "test", "")} == {
        "train": 795, "valid": 89, "test": 94, "": 22,
    }


@given(
    starts=st.lists(st.integers(0, 2900), min_size=30, max_size=80), gap=st.integers(0, 60),
    width=st.integers(1, 40), two=st.booleans(),
)
def test_the_gap_always_holds(starts: list[int], gap: int, width: int, two: bool) -> None:
    chroms = ("a", "b") if two else ("a", "a")
    intervals = [Interval(chroms[i % 2], start, start + width) for i, start in enumerate(starts)]
    lengths = {"a": 3000, "b": 3000}
    try:
        splits = split_by_blocks(intervals, lengths, (0.6, 0.2, 0.2), gap)
    except DataError:
        return
    for (one, here), (other, there) in itertools.combinations(zip(intervals, splits, strict=True), 2):
        if here and there and here != there and one.chrom == other.chrom:
            assert max(one.start, other.start) - min(one.end, other.end) >= gap


def test_boundaries_are_taken_as_given() -> None:
    blocks = [Interval("c", 0, 5000, name="train"), Interval("c", 6000, 7000, name="test"),
              Interval("c", 8000, 9000, name="valid")]
    splits = split_by_blocks(EVEN, {"c": 10_000}, gap_bp=1000, boundaries=blocks)
    assert {name: int((splits == name).sum()) for name in ("train", "valid", "test", "")} == {
        "train": 500, "valid": 100, "test": 100, "": 300,
    }
    with pytest.raises(ConfigError, match="closer than the gap"):
        split_by_blocks(EVEN, {"c": 10_000}, gap_bp=1001, boundaries=blocks)
    with pytest.raises(ConfigError, match="named by its split"):
        split_by_blocks(EVEN, {"c": 10_000}, boundaries=[Interval("c", 0, 5, name="other")])


def test_block_errors() -> None:
    with pytest.raises(ConfigError, match="add up"):
        split_by_blocks(EVEN, {"c": 10_000}, (0.8, 0.1, 0.2))
    with pytest.raises(DataError, match="no example falls into"):
        split_by_blocks(EVEN[:10], {"c": 10_000}, gap_bp=5000)
    with pytest.raises(DataError, match="no interval to split"):
        split_by_blocks(EVEN, {"other": 10_000})


def test_chromosomes() -> None:
    intervals = [Interval(chrom, 0, 1) for chrom in ("1", "2", "3", "1")]
    assert split_by_chromosome(intervals, ["2"], ["3"]).tolist() == ["train", "valid", "test", "train"]
    with pytest.raises(ConfigError, match="for validation and for test"):
        split_by_chromosome(intervals, ["2"], ["2"])
    with pytest.raises(DataError, match="'9'"):
        split_by_chromosome(intervals, ["2"], ["9"])
    with pytest.raises(DataError, match="left for training"):
        split_by_chromosome(intervals, ["1", "2"], ["3"])


def test_random_split_keeps_copies_and_reverse_complements_together() -> None:
    rng = np.random.default_rng(0)
    unique = ["".join(rng.choice(list("ACGT"), 20)) for _ in range(200)]
    both = unique + [as_text(reverse_complement(as_bases(one))) for one in unique] + unique[:50]
    splits = split_random(both, (0.6, 0.2, 0.2), seed=3)
    assert (splits[:200] == splits[200:400]).all()
    assert (splits[:50] == splits[400:]).all()
    shares = [np.mean(splits == name) for name in ("train", "valid", "test")]
    assert np.allclose(shares, (0.6, 0.2, 0.2), atol=0.02)
    assert (split_random(both, (0.6, 0.2, 0.2), seed=3) == splits).all()
    assert (split_random(both, (0.6, 0.2, 0.2), seed=4) != splits).any()
    order = rng.permutation(len(both))
    again = split_random([both[i] for i in order], (0.6, 0.2, 0.2), seed=3)
    assert np.mean(again == splits[order]) == 1.0


def placed(n: int, step: int = 100, width: int = 50) -> Examples:
    intervals = [Interval("chr1", i * step, i * step + width) for i in range(n)]
    return Examples(
        ["ACGT" * 12 + "AC"] * n, np.arange(n) % 2, np.full(n, "", dtype=object), [str(one) for one in intervals],
        intervals,
    )


def test_boundaries_cut_one_chromosome_with_a_gap():
    split = SplitSettings(boundaries=(500, 800), gap_bp=60)
    got = divide(placed(12), {"chr1": 1200}, split)
    # Blocks by hand: [0, 470), [530, 770), [830, 1200).
    assert got.tolist() == ["train"] * 5 + [""] + ["valid"] * 2 + [""] + ["test"] * 3
    with pytest.raises(ConfigError, match="boundaries"):
        divide(placed(12), {"chr1": 1200}, SplitSettings(boundaries=(500, 5000)))


def test_chromosomes_win_over_blocks():
    examples = placed(6)
    assert examples.intervals is not None
    moved = Examples(
        examples.sequences, examples.labels, examples.splits, examples.ids,
        [Interval(f"chr{i // 2}", 0, 50) for i in range(6)],
    )
    got = divide(moved, {}, SplitSettings(valid_chroms=("chr1",), test_chroms=("chr2",)))
    assert got.tolist() == ["train", "train", "valid", "valid", "test", "test"]
