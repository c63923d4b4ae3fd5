"""Tables of labelled sequences, worked by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.data.examples import Examples, example_rows
from lingome.data.interval import Interval
from lingome.data.readers.tables import read_examples, read_sequences


def table(tmp_path: Path, text: str, name: str = "x.csv") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_csv_with_guessed_columns(tmp_path: Path) -> None:
    examples = read_examples(table(tmp_path, 'Seq,Target,score\nacgt,yes,1.5\n"GGNR",no,2\n\n'))
    assert list(examples.sequences) == ["ACGT", "GGNN"]
    assert examples.label_names == ("no", "yes")
    assert examples.labels.tolist() == [1, 0]
    assert examples.splits.tolist() == ["", ""]
    assert examples.columns["score"].tolist() == [1.5, 2.0]
    assert examples.intervals is None


def test_tsv_with_places_and_splits(tmp_path: Path) -> None:
    header = "chrom\tstart\tend\tstrand\tlabel\tsequence\tsplit\n"
    text = header + "chr1\t0\t4\t-\t10\tACGT\tdev\nchr1\t5\t9\t+\t9\tAAAA\tTrain\n"
    examples = read_examples(table(tmp_path, text))
    assert examples.intervals == [Interval("chr1", 0, 4, "-"), Interval("chr1", 5, 9, "+")]
    assert examples.splits.tolist() == ["valid", "train"]
    assert examples.label_names == ("9", "10")
    assert examples.labels.tolist() == [1, 0]


def test_columns_of_place_and_split_are_known_in_any_case(tmp_path: Path) -> None:
    examples = read_examples(table(tmp_path, "Chrom,START,End,Split,Label,Sequence\nchr1,0,4,Test,1,ACGT\n"))
    assert examples.intervals == [Interval("chr1", 0, 4)]
    assert examples.splits.tolist() == ["test"]
    assert read_examples(table(tmp_path, "Name,Seq\n1,ACGT\n"), label_column="Name").labels.tolist() == [1]


def test_named_columns_win_over_guesses(tmp_path: Path) -> None:
    file = table(tmp_path, "sequence,other,label,bound\nAC,GT,0,1\n")
    examples = read_examples(file, "other", "bound")
    assert list(examples.sequences) == ["GT"]
    assert examples.labels.tolist() == [1]
    assert examples.label_names == ("0", "1")


def test_a_single_class_keeps_its_number(tmp_path: Path) -> None:
    examples = read_examples(table(tmp_path, "sequence,label\nAC,1\nGG,1\n"))
    assert examples.labels.tolist() == [1, 1]


def test_folder_of_splits(tmp_path: Path) -> None:
    (tmp_path / "gue").mkdir()
    for name, letter in (("train.csv", "A"), ("dev.csv", "C")):
        table(tmp_path / "gue", f"sequence,label\n{letter},0\n", name)
    (tmp_path / "gue" / "test.csv.gz").write_bytes(gzip.compress(b"sequence,label\nG,1\n"))
    examples = read_examples(tmp_path / "gue")
    assert list(examples.sequences) == ["A", "C", "G"]
    assert examples.splits.tolist() == ["train", "valid", "test"]


def test_labels_may_be_unknown_when_predicting(tmp_path: Path) -> None:
    file = table(tmp_path, "sequence,label\nAC,\nGT,1\n")
    assert read_examples(file, need_labels=False).labels.tolist() == [-1, 1]
    bare = table(tmp_path, "sequence\nAC\n", "bare.csv")
    assert read_examples(bare, need_labels=False).labels.tolist() == [-1]


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("sequence,label\nACGT,1\nACET,0\n", "no DNA", ":3"),
        ("sequence,label\nACGT,1\n,0\n", "sequence is empty", ":3"),
        ("sequence,label\nACGT,1\nAC,\n", "label is missing", ":3"),
        ("sequence,label\nACGT,1\nAC\n", "another number of cells", ":3"),
        ("sequence,label\nACGT,1,2\n", "another number of cells", ":2"),
        ("dna,x\nACGT,1\n", "no column of labels", ""),
        ("ACGT,1\nACGT,0\n", "no column of sequences", ""),
        ("sequence,sequence\nA,C\n", "comes twice", ":1"),
        ("sequence,label\n", "no rows", ""),
        ("\n\n", "no header", ""),
        ("sequence,label,chrom,start,end\nAC,1,chr1,5,x\n", "end is not a position", ":2"),
        ("sequence,label,chrom,start,end\nAC,1,chr1,5,2\n", "not an interval", ":2"),
        ("sequence,label\n" + "".join(f"AC,{i / 7}\n" for i in range(200)), "different values", ""),
    ],
)
def test_errors_name_the_row(tmp_path: Path, text: str, what: str, line: str) -> None:
    file = table(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_examples(file)
    assert what in str(caught.value)
    assert str(caught.value.where).startswith(f"{file}{line}")


def test_unknown_columns_are_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'bound'"):
        read_examples(table(tmp_path, "sequence,label\nAC,1\n"), label_column="bound")


@given(
    st.lists(
        st.tuples(st.text(alphabet="ACGTN", min_size=1, max_size=30), st.integers(0, 2),
                  st.sampled_from(["train", "valid", "test", ""]), st.floats(-1e6, 1e6)),
        min_size=1, max_size=15,
    )
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, str, float]]
) -> None:
    names = ("a", "b", "c")
    examples = Examples(
        sequences=[row[0] for row in rows], labels=np.array([row[1] for row in rows]),
        splits=np.array([row[2] for row in rows], dtype=object), ids=[f"x{i}" for i in range(len(rows))],
        intervals=[Interval("c", i, i + 2, "+") for i in range(len(rows))], label_names=names,
        columns={"motif score": np.array([row[3] for row in rows])},
    )
    folder = tmp_path_factory.mktemp("run")
    (folder / "tables").mkdir()
    RunDir(folder).write_table("examples", example_rows(examples))
    again = read_examples(folder / "tables" / "examples.tsv")
    assert again.sequences == examples.sequences
    assert [again.label_names[label] for label in again.labels] == [names[row[1]] for row in rows]
    assert again.splits.tolist() == examples.splits.tolist()
    assert again.ids == examples.ids
    assert again.intervals == examples.intervals
    assert again.columns["motif score"] == pytest.approx(examples.columns["motif score"], rel=1e-5)


def test_read_sequences_from_fasta_and_table(tmp_path: Path) -> None:
    assert read_sequences(table(tmp_path, ">a\nac\nGT\n>b\nTT\n", "x.fa")) == (["a", "b"], ["ACGT", "TT"])
    assert read_sequences(table(tmp_path, "id,sequence\ns1,ACGT\n")) == (["s1"], ["ACGT"])


def test_the_staged_benchmark(data_dir: Path) -> None:
    """Counts as in the data's own description."""
    examples = read_examples(data_dir / "seqtasks" / "gue" / "tf" / "0")
    assert {name: len(examples.split(name)) for name in ("train", "valid", "test")} == {
        "train": 32_378, "valid": 1_000, "test": 1_000,
    }
    assert np.bincount(examples.split("test").labels).tolist() == [500, 500]
