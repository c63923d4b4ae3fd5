"""Whatever is thrown at a reader: a result, or an error a user can act on. Never anything else."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingome.core.errors import DataError, LingomeError
from lingome.data.genome import Genome
from lingome.data.readers.bed import read_bed, read_narrow_peak
from lingome.data.readers.check import check_file
from lingome.data.readers.gff import read_gff
from lingome.data.readers.jaspar import read_jaspar
from lingome.data.readers.proteins import read_proteins
from lingome.data.readers.tables import read_examples, read_sequences
from lingome.data.readers.variants import read_mutants, read_variants


def read_whole_genome(path: Path) -> None:
    genome = Genome.open(path)
    for chrom in genome.lengths:
        genome.sequence(chrom, strand="-")
    assert genome.report.records == len(genome.lengths)
    assert len(genome.digest) == 64


def read_masked_genome(path: Path) -> None:
    Genome.open(path, soft_masked="n")


def read_unlabelled(path: Path) -> None:
    read_examples(path, need_labels=False)


def read_mutations(path: Path) -> None:
    read_mutants(path, {"one": "MKVLA", "two": "ACGT"})


READERS: dict[str, Callable[[Path], object]] = {
    "genome": read_whole_genome, "masked genome": read_masked_genome, "bed": read_bed,
    "narrowPeak": read_narrow_peak, "gff": read_gff, "jaspar": read_jaspar, "examples": read_examples,
    "unlabelled examples": read_unlabelled, "sequences": read_sequences, "check": check_file,
    "variants": read_variants, "mutants": read_mutations, "proteins": read_proteins,
}

SEEDS = {
    "fasta": b">chr1 one\nACGTNacgtnRYU\nACGT\n>chr2\r\nACGT\r\n\n>chr3\nGGGG",
    "bed": b"#c\ntrack x\nchr1\t0\t10\tn\t5\t+\nchr1\t3\t9\nchr2 1 2\n",
    "narrowPeak": b"chr1\t10\t30\t.\t5\t.\t59.5\t-1\t4.6\t3\nchr2\t1\t3\t.\t5\t-\t1e3\t-1\t-1\t-1\n",
    "gff3": b"##gff-version 3\nchr1\tx\tgene\t1\t9\t.\t+\t.\tID=g%3B1;Name=a\n"
    b"chr1\tx\texon\t2\t3\t0.5\t-\t0\tParent=g\n",
    "gtf": b'chr1\tx\texon\t5\t5\t.\t?\t.\tgene_id "g; 1"; exon_number 2;\n',
    "jaspar": b">M1.1\tone\nA [ 1 2 ]\nC [ 3 4 ]\nG [ 5 6 ]\nT [ 7 8 ]\n>M2\n1 2\n3 4\n5 6\n7 8\n",
    "variants": b"chrom\tpos\tref\talt\tid\nchr1\t3\tA\tG\tx\nchr1\t5\tAC\t-\ty\n",
    "mutants": b"mutant\tsequence_id\nM1K:V3A\tone\nwt\ttwo\n",
    "csv": b'sequence,label,split,score\nACGT,1,train,0.5\n"GGTN",0,test,1\nAC,1,,2\n',
    "tsv": b"chrom\tstart\tend\tlabel\tsequence\tsplit\nchr1\t0\t4\ta\tACGT\tdev\nchr1\t5\t9\tb\tAAAA\ttrain\n",
}

MORSELS = [
    b"\n", b"\r", b"\t", b" ", b",", b'"', b"'", b";", b"=", b"#", b">", b"[", b"]", b"-", b"-1", b"0", b"nan", b"inf",
    b"1e999", b"9" * 30, b"9" * 5000, b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", "ü".encode(), "٣".encode(), b"%zz", b"L",
    b"\x1f\x8b", b"chr1", b"##FASTA\n", b"\n\n\n",
]

Edit = tuple[str, float, int]
edits = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "flip", "insert", "repeat", "swap"]), st.floats(0, 1), st.integers(0, 255)
    ),
    max_size=5,
)


def garble(content: bytes, changes: list[Edit]) -> bytes:
    """Damage a file: cut it short, drop, flip, insert, repeat bytes, or swap lines."""
    for what, share, number in changes:
        at = int(share * len(content))
        if what == "cut":
            content = content[:at]
        elif what == "drop":
            content = content[:at] + content[at + 1 + number % 9 :]
        elif what == "flip":
            content = content[:at] + bytes([number]) + content[at + 1 :]
        elif what == "insert":
            content = content[:at] + MORSELS[number % len(MORSELS)] + content[at:]
        elif what == "repeat":
            content = content[:at] + content[at : at + 1 + number] * 2 + content[at + 1 + number :]
        else:
            lines = content.split(b"\n")
            lines[number % len(lines)], lines[-1] = lines[-1], lines[number % len(lines)]
            content = b"\n".join(lines)
    return content


def outcome(reader: Callable[[Path], object], path: Path) -> None:
    raised = None
    try:
        reader(path)
    except LingomeError as error:
        raised = error
    assert raised is None or (raised.exit_code == 3 and str(raised).strip()), f"{raised!r} is no error of data"


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.sampled_from(sorted(SEEDS)), changes=edits, late=edits, packed=st.booleans())
def test_garbled_files(
    tmp_path: Path, name: str, seed: str, changes: list[Edit], late: list[Edit], packed: bool
) -> None:
    content = garble(SEEDS[seed], changes)
    if packed:
        content = garble(gzip.compress(content, mtime=0), late)
    path = tmp_path / "file"
    path.write_bytes(content)
    outcome(READERS[name], path)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_random_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    outcome(READERS[name], path)


@pytest.mark.parametrize("damaged", [".fai", ".gzi", ""])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=edits)
def test_garbled_bgzip_and_its_indices(tmp_path: Path, damaged: str, changes: list[Edit]) -> None:
    source, path = tmp_path / "source.fa", tmp_path / "genome.fa.gz"
    source.write_bytes(b">chr1\n" + b"ACGTACGTAC\n" * 30 + b">chr2\nACGT\n")
    pysam.tabix_compress(str(source), str(path), force=True)
    pysam.faidx(str(path))
    target = Path(f"{path}{damaged}")
    target.write_bytes(garble(target.read_bytes(), changes))
    outcome(read_whole_genome, path)


@pytest.mark.parametrize("name", READERS)
def test_places_that_are_no_files(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / "missing", tmp_path, tmp_path / ("x" * 300)):
        if path == tmp_path and name == "check":
            assert check_file(path).problem is not None
            continue
        with pytest.raises(DataError) as caught:
            READERS[name](path)
        assert caught.value.where


def test_good_seeds_are_read_by_their_readers(tmp_path: Path) -> None:
    fits = {
        "fasta": "genome", "bed": "bed", "narrowPeak": "narrowPeak", "gff3": "gff", "gtf": "gff", "jaspar": "jaspar",
        "csv": "examples", "tsv": "examples", "variants": "variants", "mutants": "mutants",
    }
    assert fits.keys() == SEEDS.keys()
    for seed, name in fits.items():
        path = tmp_path / seed
        path.write_bytes(SEEDS[seed])
        READERS[name](path)
        if seed not in ("variants", "mutants"):  # tables without sequences, which no check knows
            assert check_file(path).problem is None
