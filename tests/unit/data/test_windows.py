"""Windows and overlaps, against brute force."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import ConfigError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.windows import centred, middle_in_any, overlaps_any, tile

few = st.lists(
    st.builds(lambda chrom, start, length: Interval(chrom, start, start + length),
              st.sampled_from(["a", "b"]), st.integers(0, 40), st.integers(0, 12)),
    max_size=12,
)


def test_centred_by_hand() -> None:
    assert centred(Interval("c", 10, 21, "-", "n"), 5) == Interval("c", 13, 18, "-", "n")
    assert centred(Interval("c", 0, 2), 10) == Interval("c", -4, 6)


def test_tile_by_hand() -> None:
    windows = tile({"a": 9, "b": 3}, 4, 4)
    assert [str(one) for one in windows] == ["a:0-4", "a:4-8"]
    with pytest.raises(ConfigError):
        tile({"a": 9}, 0, 1)


@given(few, few)
def test_overlaps_equal_a_plain_search(intervals: list[Interval], others: list[Interval]) -> None:
    plain = [any(one.overlaps(other) and one.length_bp and other.length_bp for other in others) for one in intervals]
    assert overlaps_any(intervals, others).tolist() == plain
    inside = [
        any(one.chrom == other.chrom and other.start <= one.middle < other.end for other in others)
        for one in intervals
    ]
    assert middle_in_any(intervals, others).tolist() == inside


def test_letters_of_intervals_on_both_strands(tmp_path: Path) -> None:
    file = tmp_path / "x.fa"
    file.write_text(">c\nAACGNN\n")
    genome = Genome.open(file)
    windows = [Interval("c", 0, 4), Interval("c", 1, 4, "-"), Interval("c", 2, 6), Interval("c", 3, 3)]
    assert [genome.text(window) for window in windows] == ["AACG", "CGT", "CGNN", ""]
