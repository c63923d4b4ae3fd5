"""Sequences from text, lists, arrays, columns, tables, mappings and files are read the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lingome.api.sequences import read_named, table_rows
from lingome.core.errors import ConfigError, DataError
from lingome.tokens.alphabet import PROTEIN


class Column:
    """What pandas and polars share: a column is iterated over."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


class Frame:
    """What pandas and polars share: columns by name."""

    def __init__(self, **columns):
        self.inner = columns

    @property
    def columns(self):
        return list(self.inner)

    def __getitem__(self, name):
        return Column(self.inner[name])


TEXTS = ["ACGT", "GGNA"]


@pytest.mark.parametrize("source", [
    TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), Column(TEXTS), iter(TEXTS),
    [b"ACGT", b"GGNA"], ["acgt", " ggra "], [np.frombuffer(one.encode(), dtype=np.uint8) for one in TEXTS],
    Frame(seq=TEXTS, other=[1, 2]), {"sequence": TEXTS},
])
def test_every_kind_of_container_gives_the_same_sequences(source):
    assert read_named(source) == (["1", "2"], TEXTS)


def test_names_are_kept_where_there_are_some():
    assert read_named({"a": "ACGT", "b": "GGNA"}).ids == ["a", "b"]
    assert read_named(Frame(id=["x", "y"], sequence=TEXTS)).ids == ["x", "y"]


def test_one_sequence_is_a_text_and_a_file_is_a_path(tmp_path: Path):
    file = tmp_path / "reads.fa"
    file.write_text(">r1\nACGT\n>r2\nGGNA\n")
    assert read_named("ACGT") == (["1"], ["ACGT"])
    assert read_named(str(file)) == read_named(file) == (["r1", "r2"], TEXTS)


def test_a_text_that_is_a_file_and_a_sequence_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("ACGT").write_text(">r\nA\n")
    with pytest.raises(ConfigError, match="could be a sequence"):
        read_named("ACGT")


@pytest.mark.parametrize(("source", "said"), [
    ([], "there are no sequences"), (["ACGT", ""], "sequence 2: the sequence is empty"), ("missing.fa", "no such file"),
    (["ACGT", "AC!T"], "sequence 2, base 3: a letter that is no DNA"), ([1.5], "sequence 1: this is no sequence"),
    (3, "these are no sequences"), (Frame(x=["ACGT"]), "no column of sequences"),
    ({"sequence": ["A"], "label": [1, 2]}, "differ in length"),
])
def test_what_is_no_sequence_is_named_with_its_place(source, said):
    with pytest.raises(DataError, match=said):
        read_named(source)


def test_the_alphabet_decides_how_letters_are_read():
    assert read_named(["mktay"], PROTEIN).sequences == ["MKTAY"]
    with pytest.raises(DataError, match="sequence 1: a letter that is no residue"):
        read_named(["MK-A"], PROTEIN)


def test_cells_are_written_as_a_file_would_have_them():
    frame = Frame(label=[1.0, float("nan"), np.int64(3), None, True, 0.5])
    assert [cells["label"] for _, cells in table_rows(frame)] == ["1", "", "3", "", "1", "0.5"]
