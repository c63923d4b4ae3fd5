"""Letters as arrays, against values worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.data.sequence import as_bases, as_text, gc_content, reverse_complement

dna = st.text(alphabet="ACGTN", max_size=200)


def test_as_bases_cleans_letters() -> None:
    assert as_text(as_bases("acgtunRYkm")) == "ACGTTNNNNN"
    assert as_bases(b"ACGT").dtype == np.uint8
    array = as_bases("ACG")
    assert as_bases(array) is array


@pytest.mark.parametrize("letters", ["ACGE", "AC-G", "AC G", "ACÄ", "AC\x00"])
def test_as_bases_refuses_what_is_no_dna(letters: str) -> None:
    with pytest.raises(DataError, match="no DNA"):
        as_bases(letters)


def test_as_bases_refuses_other_arrays() -> None:
    with pytest.raises(DataError, match="uint8"):
        as_bases(np.array([65, 67]))


def test_reverse_complement_by_hand() -> None:
    assert as_text(reverse_complement(as_bases("AACGTN"))) == "NACGTT"


@given(dna)
def test_reverse_complement_twice_is_the_same(text: str) -> None:
    assert as_text(reverse_complement(reverse_complement(as_bases(text)))) == text


def test_gc_content_by_hand() -> None:
    assert gc_content("GCAT") == 0.5
    assert gc_content("GGCNNNN") == 1.0
    assert math.isnan(gc_content("NN"))
