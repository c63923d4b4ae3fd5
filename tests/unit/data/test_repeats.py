"""Repeats from a BED or from lower-case letters, and the share of each token."""

import gzip

import numpy as np
import pytest

from lingome.core.errors import DataError
from lingome.data.interval import Interval
from lingome.data.repeats import Repeats, merged

LENGTHS = {"c": 20, "d": 5}


def test_a_bed_of_overlapping_rows(tmp_path):
    path = tmp_path / "r.bed.gz"
    path.write_bytes(gzip.compress(b"c\t8\t12\nc\t2\t5\nc\t4\t6\nother\t0\t9999\n"))
    repeats = Repeats.read(path, LENGTHS)
    assert repeats.spans["c"].tolist() == [[2, 6], [8, 12]]
    assert repeats.inside(Interval("c", 4, 10)).tolist() == [True, True, False, False, True, True]
    assert not repeats.inside(Interval("d", 0, 5)).any()


def test_merged_is_what_marking_each_base_gives():
    rng = np.random.default_rng(0)
    for _ in range(50):
        starts = rng.integers(0, 60, 8)
        spans = np.stack([starts, starts + rng.integers(0, 9, 8)], axis=1)
        marked = np.zeros(80, dtype=bool)
        for start, end in spans:
            marked[start:end] = True
        edges = np.flatnonzero(np.diff(marked.astype(int), prepend=0)).reshape(-1, 2)
        assert merged(spans).tolist() == edges.tolist()


def test_lower_case_letters(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">c\nACgtnNacGT\n>d\nAAAA\n")
    spans = Repeats.of_soft_masked(path).spans
    assert spans["c"].tolist() == [[2, 4], [6, 8]]  # n is no letter that is learnt
    assert spans["d"].tolist() == []
    path.write_text(">c\nACGT\n")
    with pytest.raises(DataError, match="lower case"):
        Repeats.of_soft_masked(path)


def test_what_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "r.bed"
    path.write_text("c\t10\t21\n")
    with pytest.raises(DataError, match=r"r\.bed:1.*\n?.*21|beyond the end"):
        Repeats.read(path, LENGTHS)
    path.write_text("chrC\t1\t2\n")
    with pytest.raises(DataError, match="no repeat is on this genome"):
        Repeats.read(path, LENGTHS)
