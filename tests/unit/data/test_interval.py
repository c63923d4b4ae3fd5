"""Places of a genome as people write them."""

from __future__ import annotations

import pytest

from lingome.core.errors import ConfigError
from lingome.data.interval import Interval


def test_a_place_is_read_and_written_back():
    assert Interval.parse("chr1:1,000-2,000", {"chr1": 2000}) == Interval("chr1", 1000, 2000)
    assert Interval.parse("HLA:A:5-9") == Interval("HLA:A", 5, 9)
    assert str(Interval.parse("chr1:10-20")) == "chr1:10-20"


@pytest.mark.parametrize(("text", "message"), [
    ("chr1", "not a region"),
    ("chr1:5-1", "not a region"),
    ("chr1:5-5", "not a region"),
    (":1-5", "not a region"),
    ("chr1:-5-9", "not a region"),
    ("1:1-5", "chr1"),
    ("chr1:90-101", r"(?s)beyond the end of the chromosome.*at most 100"),
])
def test_what_is_no_place_of_the_genome_is_refused(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        Interval.parse(text, {"chr1": 100})
