"""FASTA in, bases out: plain, gzip, bgzip with and without index; policies; errors."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.readers import fasta
from lingome.data.readers.compressed import read_blocks
from lingome.data.sequence import as_text

FASTA = b">chr1 first\nACGTn\nacgR\n\n>chr2\nUUGG\n>empty\n>chrM\nA\n"


def bgzip(tmp_path: Path, content: bytes, *, index: bool) -> Path:
    source, target = tmp_path / "source.fa", tmp_path / "genome.fa.bgz"
    source.write_bytes(content)
    pysam.tabix_compress(str(source), str(target), force=True)
    if index:
        pysam.faidx(str(target))
    return target


def write(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / "genome.fa"
    file.write_bytes(content)
    return file


def refused(tmp_path: Path, content: bytes) -> DataError:
    with pytest.raises(DataError) as caught:
        Genome.open(write(tmp_path, content))
    assert caught.value.exit_code == 3
    return caught.value


def test_records_letters_and_report_by_hand(tmp_path: Path) -> None:
    genome = Genome.open(write(tmp_path, FASTA))
    assert genome.lengths == {"chr1": 9, "chr2": 4, "chrM": 1}
    assert as_text(genome.sequence("chr1")) == "ACGTNACGN"
    assert as_text(genome.sequence("chr2")) == "TTGG"
    report = genome.report
    assert (report.records, report.bases, report.n_bases, report.lower_case) == (3, 14, 2, 4)
    assert (report.other_letters, report.letters, report.uracil) == (1, {"R": 1}, 2)
    assert report.empty_records == ("empty",)
    assert report.complete


def test_soft_masked_letters_become_n_when_asked(tmp_path: Path) -> None:
    path = write(tmp_path, FASTA)
    masked = Genome.open(path, soft_masked="n")
    assert as_text(masked.sequence("chr1")) == "ACGTNNNNN"
    assert masked.report.n_bases == 5
    assert masked.digest == Genome.open(path).digest


def test_sequence_is_half_open_and_strand_aware(tmp_path: Path) -> None:
    genome = Genome.open(write(tmp_path, b">c\nAACGT\n"))
    assert as_text(genome.sequence("c", 1, 3)) == "AC"
    assert genome.text(Interval("c", 1, 4, "-")) == "CGT"
    assert genome.sequence("c", 5, 5).size == 0
    assert genome.sequence("c").dtype == np.uint8
    for start, end in ((-1, 2), (3, 2), (0, 6)):
        with pytest.raises(DataError, match="not on the chromosome"):
            genome.sequence("c", start, end)


@pytest.mark.parametrize("soft_masked", ["upper", "n"])
def test_every_compression_gives_the_same_genome(tmp_path: Path, soft_masked: str) -> None:
    content = b"".join(
        b">c%d\n" % i + b"\n".join([b"ACGTTGCANNacgtR"[i:] * 40] * 50) + b"\n" for i in range(3)
    )
    packed = tmp_path / "genome.fa.gz"
    packed.write_bytes(gzip.compress(content.replace(b"\n", b"\r\n")))
    plain = Genome.open(write(tmp_path, content), soft_masked=soft_masked)
    indexed = Genome.open(bgzip(tmp_path, content, index=True), soft_masked=soft_masked)
    others = [Genome.open(packed, soft_masked=soft_masked), indexed]
    (tmp_path / "second").mkdir()
    others.append(Genome.open(bgzip(tmp_path / "second", content, index=False), soft_masked=soft_masked))
    for other in others:
        assert other.lengths == plain.lengths
        assert other.digest == plain.digest
        for chrom in plain.lengths:
            assert as_text(other.sequence(chrom, 7, 900, "-")) == as_text(plain.sequence(chrom, 7, 900, "-"))
    assert not indexed.report.complete
    assert indexed.report.bases == plain.report.bases


def test_an_index_reads_what_it_is_asked_for_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bgzip(tmp_path, b">c\n" + b"ACGT" * 1000 + b"\n>p\nMELV\n", index=True)
    monkeypatch.setattr(fasta, "read_blocks", lambda _: pytest.fail("the file was read through"))
    genome = Genome.open(path)
    assert as_text(genome.sequence("c", 4, 8)) == "ACGT"
    with pytest.raises(DataError, match="'E' in record 'p'"):
        genome.sequence("p")


@pytest.mark.parametrize("index", [b"garbage\n", b"c\t10\t3\t60\t61\nc\t10\t3\t60\t61\n", b"c\tx\t3\t60\t61\n"])
def test_a_broken_index_is_named(tmp_path: Path, index: bytes) -> None:
    path = bgzip(tmp_path, b">c\nACGT\n", index=True)
    Path(f"{path}.fai").write_bytes(index)
    with pytest.raises(DataError) as caught:
        Genome.open(path)
    assert ".fai:" in str(caught.value.where)


def test_an_index_of_another_file_is_noticed(tmp_path: Path) -> None:
    path = bgzip(tmp_path, b">c\nACGT\n", index=True)
    Path(f"{path}.fai").write_bytes(b"c\t400\t3\t60\t61\n")
    with pytest.raises(DataError, match="index"):
        Genome.open(path).sequence("c")


@given(
    records=st.lists(st.text(alphabet="ACGTN", min_size=1, max_size=300), min_size=1, max_size=4),
    width=st.integers(1, 80), block=st.integers(1, 64), ends=st.sampled_from([b"\n", b"\r\n"]),
)
def test_blocks_and_wrapping_never_change_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, records: list[str], width: int, block: int, ends: bytes
) -> None:
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    lines = []
    for number, letters in enumerate(records):
        lines += [f">r{number} text", *(letters[i : i + width] for i in range(0, len(letters), width))]
    path.write_bytes(ends.join(line.encode() for line in lines) + ends)
    content = b"".join(read_blocks(path))
    pieces = [content[i : i + block] for i in range(0, len(content), block)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta, "read_blocks", lambda _: iter(pieces))
        genome = Genome.open(path)
    assert [as_text(genome.sequence(chrom)) for chrom in genome.lengths] == records


def test_chromosome_names_that_nearly_fit_are_both_named(tmp_path: Path) -> None:
    genome = Genome.open(write(tmp_path, b">chr20\nACGT\n>chrM\nAC\n"))
    with pytest.raises(DataError) as caught:
        genome.sequence("20")
    assert "'20'" in str(caught.value)
    assert "'chr20'" in str(caught.value)
    assert "sed '/^#/!s/^/chr/'" in str(caught.value)
    with pytest.raises(DataError, match="'chrM'"):
        genome.sequence("MT")
    with pytest.raises(DataError, match="take chr off"):
        Genome.open(write(tmp_path, b">20\nACGT\n")).sequence("chr20")


def test_protein_letters_name_letter_line_and_record(tmp_path: Path) -> None:
    error = refused(tmp_path, b">dna\nACGT\n>prot\nACGT\nACLEG\n")
    assert error.what == "the letter 'L' in record 'prot' is no DNA"
    assert str(error.where).endswith("genome.fa:5")
    assert error.got == "this looks like a protein"


def test_duplicate_names_name_both_lines(tmp_path: Path) -> None:
    error = refused(tmp_path, b">a\nAC\n>b\nGT\n>a\nAC\n")
    assert "'a' comes twice" in error.what
    assert error.got == "lines 1 and 5"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\n\n", "no record"),
        (b"ACGT\n", "text before the first header"),
        (b"\n\nACGT\n>a\nAC\n", "text before the first header"),
        (b">a\n>b\n\n", "every record is empty"),
        (b">\nACGT\n", "without a name"),
        (b"> a\nACGT\n", "without a name"),
        (b">a\nAC-GT\n", "'-'"),
        (b">a\rACGT\r", "carriage returns"),
        (b">a\n\x00\x01\xff\n", "no DNA"),
        (b"\x00\x01\x02", "text before"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, what: str) -> None:
    assert what in str(refused(tmp_path, content))


def test_the_staged_chromosome_is_read_as_published(data_dir: Path) -> None:
    """Lengths, N and order as in the data's own description; yeast has no N."""
    genome = Genome.open(data_dir / "genome" / "scer_S288C_R64.fa.gz")
    assert len(genome.lengths) == 17
    assert sum(genome.lengths.values()) == 12_157_105
    assert genome.report.n_bases == 0
    assert genome.lengths["chrM"] == 85_779
