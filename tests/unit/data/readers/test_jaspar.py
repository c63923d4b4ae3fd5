"""Count matrices of motifs, as JASPAR writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.core.errors import DataError
from lingome.data.readers.jaspar import read_jaspar

JASPAR = ">M1.1\tone\nA [ 1 2 ]\nC [ 3 4 ]\nG [ 5 6 ]\nT [ 7 8 ]\n"


def test_both_layouts_of_jaspar(tmp_path: Path) -> None:
    file = tmp_path / "x.jaspar"
    file.write_text(JASPAR + ">M2.1 two words\n1 2\n3 4\n5 6\n7 8.5\n")
    first, second = read_jaspar(file)
    assert (first.id, first.name, second.name) == ("M1.1", "one", "two words")
    assert first.counts.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert second.counts[3, 1] == 8.5


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("A [ 1 ]\n", "no matrix yet"),
        (JASPAR.replace("G [ 5 6 ]\n", ""), "not a row"),
        (JASPAR.replace("6 ]", "]"), "equal length"),
        (JASPAR.replace("6 ]", "x ]"), "not numbers"),
        (JASPAR.replace("6 ]", "-6 ]"), "not numbers"),
        (JASPAR.replace("6 ]", "nan ]"), "not numbers"),
        (JASPAR + "T [ 1 2 ]\n", "not a row"),
        (JASPAR + JASPAR, "comes twice"),
        (">\n", "without a name"),
        (">M1\nA [ 0 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n", "no counts"),
    ],
)
def test_bad_matrices(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "x.jaspar"
    file.write_text(text)
    with pytest.raises(DataError, match=what):
        read_jaspar(file)
