"""The catalog is complete, and its steps build what it promises."""

from __future__ import annotations

import gzip
import hashlib
import re
import sqlite3
from pathlib import Path

import pytest

from lingome.core.errors import ConfigError, DataError
from lingome.data.catalog.build import STEPS, build, rename_records, rename_seqids, select_matrices, wrap_lines
from lingome.data.catalog.entries import KINDS, entries, find


def content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def test_every_entry_is_whole() -> None:
    wanted = {
        "hg19-chr20", "hg19-chr20-ctcf-gm12878", "hg19-chr20-blacklist", "jaspar-ctcf", "ctcf-windows",
        "yeast-genome", "yeast-genes", "ecoli-genome", "ci-chr20", "ci-chr20-ctcf",
    }
    assert wanted <= set(entries())
    assert len(entries()) == 16
    for name, entry in entries().items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.what
        assert entry.organism
        assert entry.licence
        assert "doi:" in entry.citation
        kinds = [source.kind for source in entry.sources]
        assert kinds == sorted(kinds, key=KINDS.index), "folder, then package, then address"
        for source in entry.sources:
            assert all(step in STEPS for step, _ in source.build)
            assert source.kind != "url" or source.where.startswith("https://")
            assert source.kind != "package" or re.fullmatch(r"[\w-]+==[\d.]+", source.where)
            assert (source.kind == "package") == bool(source.member)


def test_every_staged_file_has_the_recorded_content(data_dir: Path) -> None:
    checked = 0
    for entry in entries().values():
        source = entry.sources[0]
        assert source.kind == "folder"
        raw = (data_dir / source.where).read_bytes()
        assert hashlib.sha256(raw).hexdigest() == source.sha256
        built = build(content(data_dir / source.where), source.build)
        assert hashlib.sha256(built).hexdigest() == entry.sha256
        checked += 1
    assert checked == 16


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'yeast-genome'") as caught:
        find("yeast-genom")
    assert caught.value.exit_code == 2


def test_yeast_is_built_from_the_package_layout(data_dir: Path) -> None:
    """The package's headers look like NCBI's; renamed and wrapped they give the staged file."""
    entry = find("yeast-genome")
    staged = content(data_dir / entry.sources[0].where)

    def old(match: re.Match[bytes]) -> bytes:
        name = match.group(1)
        place = b"[location=mitochondrion]" if name == b"M" else b"[chromosome=" + name + b"]"
        return b">ref|NC_1| [org=Saccharomyces cerevisiae] " + place

    package = next(source for source in entry.sources if source.kind == "package")
    assert build(re.sub(rb">chr(\w+)", old, staged), package.build) == staged


def test_the_public_chromosome_is_built_from_soft_masked_lines(data_dir: Path) -> None:
    text = b">chr20\n" + b"acgtNNNNACGT" * 20 + b"\nac\n"
    url = next(source for source in find("hg19-chr20").sources if source.kind == "url")
    letters = b"ACGTNNNNACGT" * 20 + b"AC"
    lines = [letters[i : i + 60] for i in range(0, len(letters), 60)]
    assert build(text, url.build) == b">chr20\n" + b"\n".join(lines) + b"\n"


def test_blacklist_is_cut_to_its_chromosome_and_columns() -> None:
    url = next(source for source in find("hg19-chr20-blacklist").sources if source.kind == "url")
    text = b"chr2\t0\t5\tx\nchr20\t0\t5\tHigh Signal\nchr20\t7\t9\tLow\n"
    assert build(text, url.build) == b"chr20\t0\t5\nchr20\t7\t9\n"


def test_matrices_from_database_and_text_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE MATRIX (ID integer, BASE_ID text, VERSION integer, NAME text)")
    database.execute("CREATE TABLE MATRIX_DATA (ID integer, row text, col integer, val real)")
    database.execute("INSERT INTO MATRIX VALUES (1, 'MA1', 2, 'CTCF')")
    rows = [(1, letter, col, 10.0 * at + col + 0.6) for at, letter in enumerate("ACGT") for col in (2, 1)]
    database.executemany("INSERT INTO MATRIX_DATA VALUES (?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    expected = b">MA1.2\tCTCF\nA [ 1 2 ]\nC [ 11 12 ]\nG [ 21 22 ]\nT [ 31 32 ]\n"
    assert select_matrices(file.read_bytes(), ["MA1.2"]) == expected
    text = b">MA9.1\tX\nA [ 1 ]\nC [ 1 ]\nG [ 1 ]\nT [ 1 ]\n\n" + expected.replace(b" 1 2 ]", b"  1.6   2.6 ]")
    assert select_matrices(text, ["MA1.2"]) == expected
    with pytest.raises(DataError, match=r"MA1\.3"):
        select_matrices(text, ["MA1.3"])


def test_small_steps_by_hand() -> None:
    with pytest.raises(DataError, match="does not expect"):
        rename_records(b">x\nA\n", {"y": "z"})
    assert wrap_lines(b">a b\r\nACGTA\r\nCG\r\n>c\nA\n", 3) == b">a b\nACG\nTAC\nG\n>c\nA\n"
    text = b"#!note\n##sequence-region   I 1 9\nI\tx\n###\nMito\ty\n"
    assert rename_seqids(text, {"Mito": "chrM", "*": "chr"}) == (
        b"#!note\n##sequence-region   chrI 1 9\nchrI\tx\n###\nchrM\ty\n"
    )
