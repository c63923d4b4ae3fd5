"""Variants as files write them, and as they are here."""

import gzip

import pytest

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.readers.proteins import read_proteins
from lingome.data.readers.variants import holds_places, read_mutants, read_variants
from lingome.data.variants import Edit, parse_mutations

VCF = """##fileformat=VCFv4.5
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr1\t1\trs1\tA\tG\t.\t.\t.
chr1\t3\t.\tgt\tG,GTT,<DEL>,*\t.\t.\t.
chr2\t2\t.\tT\t.
"""


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "g.fa").write_text(">chr1\nACGTACGT\n>chr2\nTTTT\n")
    return Genome.open(tmp_path / "g.fa")


def test_a_vcf_becomes_0_based_one_allele_each_without_those_that_have_no_letters(tmp_path, genome):
    path = tmp_path / "v.vcf.gz"
    path.write_bytes(gzip.compress(VCF.encode()))
    found = read_variants(path, genome)
    assert [(one.chrom, one.start, one.ref, one.alt, one.name) for one in found] == [
        ("chr1", 0, "A", "G", "rs1"), ("chr1", 2, "GT", "G", "chr1:3:GT>G"), ("chr1", 2, "GT", "GTT", "chr1:3:GT>GTT"),
    ]
    assert found[1].where == f"{path}:4"
    assert holds_places(path)
    assert found[0].cells() == {"id": "rs1", "chrom": "chr1", "pos": 1, "ref": "A", "alt": "G"}


def test_a_table_keeps_its_other_columns_and_a_dash_deletes(tmp_path, genome):
    path = tmp_path / "v.tsv"
    path.write_text("Chrom\tpos\tREF\talt\teffect\nchr1\t4\tT\t-\t0.5\nchr2\t1\tT\ta\t\n")
    deleted, replaced = read_variants(path, genome)
    assert (deleted.edit, deleted.columns) == (Edit(3, "T", ""), {"effect": "0.5"})
    assert (replaced.alt, replaced.start, replaced.columns["effect"]) == ("A", 0, "")
    assert holds_places(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("chr1\t0\tA\tG", "begin at 1"), ("chr1\tx\tA\tG", "not a position"), ("chr1\t1\tA\tA", "both alleles"),
        ("chr1\t1\t-\tG", "base before it"), ("chr1\t1\tA\tZ", "alternative allele is no DNA"),
        ("chr1\t1\tC\tG", "not what the genome has"), ("1\t1\tA\tG", "chr1"), ("chr1\t9\tA\tG", "beyond its"),
        ("chr2\t4\tTT\tG", "beyond its chromosome"),
    ],
)
def test_a_bad_row_is_named(tmp_path, genome, row, message):
    path = tmp_path / "v.tsv"
    path.write_text(f"chrom\tpos\tref\talt\nchr1\t1\tA\tT\n{row}\n")
    with pytest.raises(DataError, match=message) as caught:
        read_variants(path, genome)
    assert f"{path}:3" in str(caught.value)


def test_files_without_variants_are_refused(tmp_path):
    for name, content, message in (
        ("a.vcf", "##x\n#CHROM\n", "no variant"), ("b.vcf", "chr1 1 . A G\n", "separated by tabs"),
        ("c.tsv", "chrom\tpos\tref\nchr1\t1\tA\n", "no column 'alt'"),
        ("d.tsv", "chrom\tpos\tref\talt\n", "no variant"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=message):
            read_variants(tmp_path / name)


def test_mutations_are_1_based_and_checked_against_their_sequence(tmp_path):
    assert parse_mutations("t5s, A23G") == (Edit(4, "T", "S"), Edit(22, "A", "G"))
    assert parse_mutations("_wt") == parse_mutations("") == ()
    assert parse_mutations("G126A", first_position=126) == (Edit(0, "G", "A"),)
    for text, message in (("A23", "no mutation"), ("A2A", "changes nothing"), ("A0G", "before the first"),
                          ("A2G:A2T", "two mutations"), ("AA2G", "no mutation")):
        with pytest.raises(DataError, match=message):
            parse_mutations(text)
    table = tmp_path / "m.tsv"
    table.write_text("mutant\tscore\nM1K,V3A\t1.5\nwt\t0\n")
    first, wild = read_mutants(table, {"p": "MKV"})
    assert first.edits == (Edit(0, "M", "K"), Edit(2, "V", "A"))
    assert (first.columns, first.name) == ({"score": "1.5"}, "M1K,V3A")
    assert wild.edits == ()
    assert not holds_places(table)
    for content, sequences, message in (
        ("mutant\nM1K\nK3A\n", {"p": "MKV"}, "m.tsv:3"), ("mutant\nV4A\n", {"p": "MKV"}, "nothing at 4"),
        ("mutant\nM1K\n", {"p": "MKV", "q": "M"}, "which sequence"), ("x\nM1K\n", {"p": "MKV"}, "no column of mut"),
        ("mutant,sequence_id\nM1K,r\n", {"p": "MKV"}, "no such sequence"), ("mutant\n", {"p": "MKV"}, "no rows"),
    ):
        table.write_text(content)
        with pytest.raises(DataError, match=message):
            read_mutants(table, sequences)


def test_proteins_are_read_from_fasta_and_tables(tmp_path):
    (tmp_path / "p.fa").write_text(">one\nmkv\nA*\n>two\nWWX\n")
    assert read_proteins(tmp_path / "p.fa") == (["one", "two"], ["MKVA*", "WWX"])
    (tmp_path / "p.tsv").write_text("id\tProtein\na\tMK\nb\tVV\n")
    assert read_proteins(tmp_path / "p.tsv") == (["a", "b"], ["MK", "VV"])
    bad = (("id\tseq\na\tM-K\n", "no residue"), ("id\tseq\na\t\n", "empty"), ("id\nx\n", "no column"))
    for content, message in bad:
        (tmp_path / "q.tsv").write_text(content)
        with pytest.raises(DataError, match=message):
            read_proteins(tmp_path / "q.tsv")
