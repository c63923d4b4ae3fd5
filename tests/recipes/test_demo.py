"""The demo from the command line, on real data, with every stage made small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.core.rundir import RunDir

SMALL = (
    "preset=nano", "merges=60", "candidates=[0,60,600]", "seeds=1", "resamples=100",
    "pretrain.max_steps=3", "pretrain.eval_every=3", "tune.epochs=0.3", "choose.preset=nano", "choose.pretrain_steps=2",
    "choose.finetune_steps=2", "choose.n_train=500", "choose.n_test=200", "choose.markov_bp=200000", "promoters=150",
)
TABLES = {
    "data", "vocabulary", "next_kmer", "splits", "scores", "curves", "calibration", "embedding_map", "embedding_axes",
    "predictions", "region_peaks", "leaks", "warnings", "steps",
}


def check_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> RunDir:
    shown = capsys.readouterr()
    run = RunDir.open(folder)
    assert {file.stem for file in (folder / "tables").glob("*.tsv")} >= TABLES
    names = {row["name"] for row in run.read_table("scores")}
    assert {"majority class", "GC content", "frozen features", "random weights, all layers"} <= names
    assert all(line.split("\t")[0] in {"method", *names} for line in shown.out.splitlines())
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(page) < 3_000_000
    assert run.read_lineage()["question"][:40] in page
    bed = [line.split("\t") for line in (folder / "predictions.bed").read_text().splitlines()]
    assert len(bed) == len(run.read_table("predictions"))
    assert all(0 <= int(line[4]) <= 1000 for line in bed)
    assert not (folder / "state").exists()
    return run


def test_human_sites_from_genome_to_page(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("LINGOME_DATA", str(data_dir))
    assert main(["demo", "-o", str(tmp_path / "run"), *SMALL, "methods=[features,full]"]) == 0
    run = check_run(tmp_path / "run", capsys)
    assert any("motif score" in row["name"] for row in run.read_table("scores"))
    seen = run.read_lineage()["data_seen"]
    assert max(part["end"] for part in seen if part["by"] == "pretrain") <= 50_000_000
    assert all(61_010_000 <= row["start"] < row["end"] for row in run.read_table("predictions"))
    assert {row["split"] for row in run.read_table("splits")} == {"train", "valid", "test"}


def test_without_human_data_it_says_so_and_asks_about_yeast(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "data" / "genome"
    folder.mkdir(parents=True)
    for file in (data_dir / "genome").glob("scer_*"):
        (folder / file.name).symlink_to(file)
    monkeypatch.setenv("LINGOME_DATA", str(folder.parent))
    assert main(["demo", "-o", str(tmp_path / "run"), *SMALL, "methods=[features,full]"]) == 0
    assert "asks about yeast instead" in capsys.readouterr().err
    config = RunDir.open(tmp_path / "run").read_config()
    assert config["organism"] == "yeast"
    assert "promoter" in json.loads((tmp_path / "run" / "run.json").read_text())["question"].lower()


def test_dry_run_writes_nothing_and_names_what_it_would_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["demo", "--dry-run", "-o", str(tmp_path / "run")]) == 0
    assert "2,846,049 parameters" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["genome.fa"], 2, "brings its own data"),
        (["--organism", "unicorn"], 2, "human"),
        (["region=chr20:100-200", *SMALL], 2, "must be new to the model"),
        (["region=20:62000000-62100000", *SMALL], 2, "there is no chromosome"),
        (["merge=3"], 2, "did you mean"),
    ],
)
def test_wrong_words_are_named_and_leave_nothing(
    words: list[str], code: int, said: str, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("LINGOME_DATA", str(data_dir))
    assert main(["demo", "-o", str(tmp_path / "run"), *words]) == code
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
