from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.data.areas import choose_areas
from lingome.data.interval import Interval


def covered(parts):
    return {(p.chrom, i) for p in parts for i in range(p.start, p.end)}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 20)), max_size=4),
    st.floats(0, 0.4), st.integers(0, 20),
)
def test_areas_never_overlap_nor_touch_what_is_excluded(sizes, excluded, share, gap_bp):
    lengths = {f"c{i}": size for i, size in enumerate(sizes)}
    exclude = [Interval(f"c{i}", start, start + n) for i, start, n in excluded]
    free = {(c, i) for c, n in lengths.items() for i in range(n)} - covered(exclude)
    wanted = round(share * len(free))
    if len(free) <= wanted + (gap_bp if wanted else 0):
        with pytest.raises(DataError, match="nothing is left"):
            choose_areas(lengths, exclude, validation_share=share, gap_bp=gap_bp)
        return
    areas = choose_areas(lengths, exclude, validation_share=share, gap_bp=gap_bp)
    learnt, held = covered(areas.train), covered(areas.valid)
    assert learnt | held <= free
    assert not learnt & held
    assert len(held) == wanted
    assert len(learnt) == len(free) - wanted - (gap_bp if wanted else 0)
    both = choose_areas(lengths, exclude, validation_share=share, gap_bp=gap_bp, both_strands=True)
    assert both.valid == areas.valid
    assert both.train[: len(areas.train)] == areas.train
    assert [replace(part, strand=".") for part in both.train[len(areas.train) :]] == list(areas.train)
    assert {part.strand for part in both.train[len(areas.train) :]} == {"-"}
