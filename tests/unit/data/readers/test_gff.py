"""GFF3 and GTF, worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.core.errors import DataError
from lingome.data.interval import Interval
from lingome.data.readers.gff import read_gff

GFF3 = (
    "##gff-version 3\n"
    "chr1\tx\tgene\t1\t9\t.\t+\t.\tID=gene:A;Name=a%3Bb;Note=one,two\n"
    "###\n"
    "chr1\tx\texon\t3\t4\t0.5\t-\t0\tParent=gene:A\n"
    "##FASTA\n>chr1\nACGT\n"
)
GTF = 'chr1\tx\texon\t5\t5\t.\t?\t.\tgene_id "g; 1"; transcript_id "t"; exon_number 2; tag "a"; tag "b";\n'


def gff(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "x.gff"
    file.write_text(text)
    return file


def test_gff3_becomes_zero_based_half_open(tmp_path: Path) -> None:
    gene, exon = read_gff(gff(tmp_path, GFF3))
    assert gene.interval == Interval("chr1", 0, 9, "+", "gene:A")
    assert gene.attributes == {"ID": "gene:A", "Name": "a;b", "Note": "one,two"}
    assert exon.interval == Interval("chr1", 2, 4, "-", ".", 0.5)
    assert exon.type == "exon"


def test_gtf_attributes(tmp_path: Path) -> None:
    (exon,) = read_gff(gff(tmp_path, GTF))
    assert exon.interval == Interval("chr1", 4, 5, ".", "t")
    assert exon.attributes == {"gene_id": "g; 1", "transcript_id": "t", "exon_number": "2", "tag": "a"}


def test_types_choose(tmp_path: Path) -> None:
    file = gff(tmp_path, GFF3)
    assert [feature.type for feature in read_gff(file, {"exon"})] == ["exon"]
    with pytest.raises(DataError, match="no feature is of type CDS"):
        read_gff(file, {"CDS"})


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("chr1 x gene 1 9 . + . ID=a", "nine columns"),
        ("chr1\tx\tgene\t0\t9\t.\t+\t.\tID=a", "or is 0"),
        ("chr1\tx\tgene\t9\t1\t.\t+\t.\tID=a", "after the end"),
        ("chr1\tx\tgene\tone\t9\t.\t+\t.\tID=a", "not a position"),
        ("chr1\tx\tgene\t1\t9\t.\tx\t.\tID=a", "strand"),
        ("chr1\tx\tgene\t1\t9\tbad\t+\t.\tID=a", "score"),
        ('chr1\tx\tgene\t1\t9\t.\t+\t.\tgene_id "open', "neither GFF3 nor GTF"),
        ("chr1\tx\tgene\t1\t11\t.\t+\t.\tID=a", "leaves its chromosome"),
        ("\tx\tgene\t1\t9\t.\t+\t.\tID=a", "without a sequence name"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, line: str, what: str) -> None:
    file = gff(tmp_path, "##gff-version 3\n" + line + "\n")
    with pytest.raises(DataError) as caught:
        read_gff(file, lengths={"chr1": 10})
    assert what in str(caught.value)
    assert caught.value.where == f"{file}:2"


def test_a_file_without_features(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no feature"):
        read_gff(gff(tmp_path, "##gff-version 3\n"))


def test_the_staged_annotations(data_dir: Path) -> None:
    """Counts as in the data's own description: 6,600 yeast genes, 114 genes on fly chromosome 4."""
    assert len(read_gff(data_dir / "genome" / "scer_R64-1-1.99.gff3.gz", {"gene"})) == 6600
    assert len(read_gff(data_dir / "genome" / "other_species" / "dmel_chr4.gtf.gz", {"gene"})) == 114
