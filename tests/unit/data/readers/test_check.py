"""What ``check`` sees in files of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.readers.check import check_file, recognise

BED = "chr1\t0\t4\nchr1\t2\t9\n"
PEAK = "chr1\t0\t4\t.\t0\t.\t5.5\t-1\t-1\t2\n"
GFF = "chr1\tx\tgene\t1\t4\t.\t+\t.\tID=a\n"
FASTA = ">chr1\nACGTNacgtr\n>void\n"
JASPAR = ">M1.1\tone\nA [ 1 2 ]\nC [ 3 4 ]\nG [ 5 6 ]\nT [ 7 8 ]\n"
TABLE = "sequence,label,split\nACGT,1,train\nAN,,other\n"


def write(tmp_path: Path, text: str, name: str = "x.txt") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        (FASTA, "x.txt", "FASTA"), (BED, "x.txt", "BED"), (PEAK, "x.narrowPeak", "narrowPeak"),
        (PEAK, "x.bed", "BED"), (GFF, "x.txt", "GFF"), (JASPAR, "x.txt", "JASPAR"), (TABLE, "x.txt", "table"),
        ("chr1\tone\ttwo\n", "x.bed", "BED"), ("a,b\n1,2\n", "x.csv", "table"), (">M1\n1 2\n3 4\n", "x", "JASPAR"),
    ],
)
def test_kinds_are_recognised(tmp_path: Path, text: str, name: str, kind: str) -> None:
    assert recognise(write(tmp_path, text, name)) == kind


def test_what_cannot_be_recognised(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not know what this file is"):
        recognise(write(tmp_path, "hello world\n"))
    with pytest.raises(DataError, match="no such file"):
        check_file(tmp_path / "none")


def test_fasta(tmp_path: Path) -> None:
    report = check_file(write(tmp_path, FASTA))
    rows = dict(report.rows)
    assert (rows["records"], rows["bases"], rows["N"], rows["lower case"]) == ("1", "10", "2 (20.0%)", "5 (50.0%)")
    assert report.skipped == [
        "5 soft-masked (lower-case) letters are read as upper case",
        "1 letters other than A C G T N are read as N: R 1",
        "1 records without sequence are left out: void",
    ]
    assert report.problem is None


def test_first_bad_line(tmp_path: Path) -> None:
    file = write(tmp_path, BED + "chr1\t9\t2\n" + "chr1\tx\t2\n")
    problem = check_file(file).problem
    assert problem is not None
    assert problem.where == f"{file}:3"


def test_intervals_against_a_genome(tmp_path: Path) -> None:
    genome = Genome.open(write(tmp_path, ">chr1\nACGTACGTAC\n", "x.fa"))
    assert check_file(write(tmp_path, BED), genome).problem is None
    some = check_file(write(tmp_path, BED + "chr2\t0\t4\n"), genome)
    assert some.problem is None
    assert some.skipped == ["1 intervals lie on chromosomes that the genome has not: chr2"]
    assert dict(some.rows)["on the genome"] == "2"
    renamed = check_file(write(tmp_path, BED.replace("chr1", "1")), genome).problem
    assert renamed is not None
    assert "'chr1'" in str(renamed)
    beyond = check_file(write(tmp_path, "chr1\t0\t11\n"), genome).problem
    assert beyond is not None
    assert "leaves its chromosome" in str(beyond)


def test_tables_against_a_genome(tmp_path: Path) -> None:
    genome = Genome.open(write(tmp_path, ">chr1\nACGTTCGTAC\n", "x.fa"))
    header = "chrom,start,end,strand,sequence,label\n"
    good = check_file(write(tmp_path, header + "chr1,0,4,+,ACGT,0\nchr1,4,8,-,ACGA,1\nchr5,0,1,+,A,1\n"), genome)
    assert good.problem is None
    assert dict(good.rows)["equal to the genome"] == "2 of 2"
    shifted = check_file(write(tmp_path, header + "chr1,1,5,+,ACGT,0\n"), genome).problem
    assert shifted is not None
    assert "differ from the genome" in str(shifted)


def test_table_labels_and_splits(tmp_path: Path) -> None:
    report = check_file(write(tmp_path, TABLE))
    rows = dict(report.rows)
    assert rows["labels"] == "0: 0, 1: 1"
    assert rows["splits"] == "train 1, valid 0, test 0, none 1"
    assert report.skipped == [
        "1 rows have no label: they can be predicted, not learnt from", "1 letters are N, or read as N"
    ]


def test_motifs_peaks_features(tmp_path: Path) -> None:
    assert dict(check_file(write(tmp_path, JASPAR)).rows)["matrices"] == "1"
    assert dict(check_file(write(tmp_path, PEAK, "x.narrowPeak")).rows)["signal"] == "5.5 to 5.5"
    assert dict(check_file(write(tmp_path, GFF)).rows)["types"] == "gene 1"
