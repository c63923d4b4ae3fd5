"""``lingome predict`` with a model fitted on small real data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.core.rundir import RunDir
from lingome.data.readers.bed import read_bed

CHROM = "chr20_30M_32M"


@pytest.fixture(scope="module")
def inputs(data_dir: Path) -> dict[str, str]:
    return {
        "genome": str(data_dir / "ci" / "chr20_30M_32M.fa.gz"),
        "motifs": str(data_dir / "annotation" / "jaspar2024_selected.jaspar"),
        "peaks": str(data_dir / "ci" / "chr20_30M_32M_ctcf.narrowPeak"),
        "table": str(data_dir / "ci" / "ctcf_600.tsv"),
        "bed": str(data_dir / "ci" / "chr20_30M_32M_dsb_pos.bed"),
    }


@pytest.fixture(scope="module")
def run(inputs: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finetune") / "run"
    words = ["finetune", inputs["genome"], inputs["motifs"], inputs["peaks"], "-m", "random:nano", "method=features"]
    settings = ["seeds=1", "resamples=100", "baselines=false", "task.p_value=1e-4", "task.flank_bp=50"]
    assert main([*words, *settings, "-o", str(out)]) == 0
    return out


def test_sites_of_a_region_are_scored_as_in_training(
    run: Path, inputs: dict[str, str], capsys: pytest.CaptureFixture[str]
):
    assert main(["predict", str(run), inputs["genome"], inputs["motifs"], f"region={CHROM}:1,650,000-1990000"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    found = {(line[0], int(line[1]) - 50, int(line[2]) + 50, line[5]): line for line in lines}
    mapped = {
        (row["chrom"], row["start"], row["end"]): row for row in RunDir.open(run).read_table("embedding_map")
    }
    examples = {
        (row["chrom"], row["start"], row["end"], row["strand"]): row for row in RunDir.open(run).read_table("examples")
    }
    same = [place for place in found if place in examples and place[:3] in mapped]
    assert len(same) > 50
    for place in same:
        line = found[place]
        assert float(line[6]) == pytest.approx(mapped[place[:3]]["probability"], abs=1e-4)
        assert int(line[4]) == round(1000 * float(line[6]))
        assert float(line[7]) == pytest.approx(examples[place]["motif score"], abs=0.006)
    assert all(int(line[1]) >= 1_650_000 and int(line[2]) <= 1_990_000 for line in lines)


def test_the_flank_and_p_value_of_a_demo_are_used(run: Path, inputs: dict[str, str], tmp_path: Path):
    demo = tmp_path / "demo"
    shutil.copytree(run, demo)
    shown = []
    for folder, config in ((run, None), (demo, "organism: human\np_value: 0.0001\nflank_bp: 50\n")):
        if config is not None:
            (folder / "config.yaml").write_text(config)
        out = tmp_path / f"{folder.name}.bed"
        words = [str(folder), inputs["genome"], inputs["motifs"], f"region={CHROM}:1,900,000-1,990,000"]
        assert main(["predict", *words, "-o", str(out)]) == 0
        shown.append(out.read_text())
    assert shown[0] == shown[1]


def test_windows_of_a_bed_are_written_as_bed(run: Path, inputs: dict[str, str], tmp_path: Path):
    out = tmp_path / "scores.bed"
    assert main(["predict", str(run), inputs["genome"], inputs["bed"], "width_bp=119", "-o", str(out)]) == 0
    scored, given = read_bed(out), read_bed(Path(inputs["bed"]))
    assert [one.middle for one in scored] == [one.middle for one in given]
    assert {one.length_bp for one in scored} == {119}
    assert all(0 <= one.score <= 1000 for one in scored)


def test_sequences_give_a_table(run: Path, inputs: dict[str, str], tmp_path: Path):
    fasta = tmp_path / "some.fa"
    fasta.write_text(">one\nACGTACGTTTGACA\n>two\nGGGCGCNNACGT\n")
    for source, n in ((str(fasta), 2), (inputs["table"], 600)):
        out = tmp_path / f"{n}.tsv"
        assert main(["predict", str(run), source, "-o", str(out)]) == 0
        lines = [line.split("\t") for line in out.read_text().splitlines()]
        assert lines[0] == ["id", "probability"]
        assert len(lines) == n + 1
        assert all(0 <= float(line[1]) <= 1 for line in lines[1:])
    assert [line.split("\t")[0] for line in (tmp_path / "2.tsv").read_text().splitlines()[1:]] == ["one", "two"]


def test_unknown_letters_and_truncation_are_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    fasta = tmp_path / "some.fa"
    fasta.write_text(f">long\n{'ACGT' * 300}\n>unknown\nACGNNNTA\n")
    assert main(["predict", str(run), str(fasta)]) == 3
    assert "too_long=truncate" in capsys.readouterr().err
    assert main(["predict", str(run), str(fasta), "too_long=truncate"]) == 0
    said = capsys.readouterr().err
    assert "1 of 2 sequences were cut" in said
    assert "3 letters are not in the vocabulary" in said


def test_dry_run_and_mistakes(
    run: Path, inputs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["predict", str(run), inputs["table"], "--dry-run"]) == 0
    assert "600" in capsys.readouterr().err
    cases = (
        ([str(run)], 2, "nothing to score"),
        ([str(run), inputs["genome"], inputs["bed"], inputs["motifs"]], 2, "nothing to score"),
        ([str(run), inputs["genome"], inputs["motifs"], "region=chr1:5-10"], 2, "region"),
        ([str(run), inputs["table"], "-o", str(tmp_path / "x.bed")], 2, "make no BED"),
        ([str(tmp_path), inputs["table"]], 3, "no model in this folder"),
        ([], 2, "'model' is needed"),
    )
    for words, code, message in cases:
        assert main(["predict", *words]) == code, words
        assert message in capsys.readouterr().err
    (tmp_path / "there.tsv").write_text("mine")
    assert main(["predict", str(run), inputs["table"], "-o", str(tmp_path / "there.tsv")]) == 3
    assert (tmp_path / "there.tsv").read_text() == "mine"
