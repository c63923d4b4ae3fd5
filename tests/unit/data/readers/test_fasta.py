"""Records of FASTA files, one at a time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.readers.fasta import FastaStream
from lingome.data.sequence import as_text

FASTA = ">one\nACgtN\nRu\n>empty\n>two\nTTaa\n"


@pytest.mark.parametrize(("soft_masked", "letters"), [("upper", ["ACGTNNT", "TTAA"]), ("n", ["ACNNNNN", "TTNN"])])
def test_a_stream_gives_what_the_genome_holds(tmp_path: Path, soft_masked: str, letters: list[str]) -> None:
    (tmp_path / "a.fa").write_text(FASTA)
    (tmp_path / "b.fa").write_text(">three\nGG\n")
    stream = FastaStream([tmp_path / "a.fa", tmp_path / "b.fa"], soft_masked=soft_masked)
    assert [as_text(bases) for bases in stream] == [*letters, "GG"]
    assert stream.lengths == [{"one": 7, "two": 4}, {"three": 2}]
    # The digest is of the sequence, masked or not, as everywhere.
    assert stream.digests == [Genome.open(tmp_path / name).digest for name in ("a.fa", "b.fa")]


def test_chosen_records_are_given_and_all_are_in_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(FASTA)
    stream = FastaStream([tmp_path / "a.fa"], ["two"])
    assert [as_text(bases) for bases in stream] == ["TTAA"]
    assert stream.digests == [Genome.open(tmp_path / "a.fa").digest]
    with pytest.raises(DataError, match="chr9"):
        list(FastaStream([tmp_path / "a.fa"], ["two", "chr9"]))


def test_dna_is_not_taken_for_protein(tmp_path: Path) -> None:
    (tmp_path / "p.fa").write_text(">p\nMKLVACGT\n")
    assert len(list(FastaStream([tmp_path / "p.fa"], written="protein"))) == 1
    (tmp_path / "d.fa").write_text(">d\nacgtNACGTU\n>e\nL\n")
    with pytest.raises(DataError, match="91% of its letters"):
        list(FastaStream([tmp_path / "d.fa"], written="protein"))


def test_a_record_is_let_go_before_the_next_is_read(tmp_path: Path) -> None:
    length = 16 << 20
    with (tmp_path / "long.fa").open("wb") as file:
        for name in (b">one\n", b">two\n"):
            file.write(name + b"A" * length + b"\n")
    tracemalloc.start()
    try:
        for bases in FastaStream([tmp_path / "long.fa"]):
            del bases
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.7 * length  # two copies of one record while it is joined, and a block of the file
