"""``lingome finetune`` on small real data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.core.rundir import RunDir
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.presets import build_masked_lm
from lingome.tokens.kmers import KmerTokenizer

QUICK = ["seeds=2", "tune.epochs=1", "resamples=100"]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model that says what it has read."""
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    folder.mkdir()
    tokenizer = KmerTokenizer(3, False)
    save_checkpoint(folder / "checkpoint", build_masked_lm("nano", tokenizer.vocab_size, seed=1), tokenizer)
    (folder / "run.json").write_text(json.dumps({"workflow": "pretrain", "data_seen": []}))
    return folder


def test_a_table_is_learnt_and_measured_beside_everything(
    tmp_path: Path, data_dir: Path, pretrained: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    table = str(data_dir / "ci" / "ctcf_600.tsv")
    assert main(["finetune", table, "-m", str(pretrained), "-o", str(out), "method=features,full", *QUICK]) == 0
    shown = capsys.readouterr()
    run = RunDir.open(out)
    scores = {row["name"]: row for row in run.read_table("scores")}
    assert list(scores)[:3] == ["frozen features", "all layers", "random weights, all layers"]
    assert {"majority class", "GC content"} < set(scores)
    assert [scores[name]["kind"] for name in list(scores)[:3]] == ["model", "model", "baseline"]
    assert [scores[name]["seeds"] for name in list(scores)[:3]] == [1, 2, 2]
    assert scores["all layers"]["n_test"] == 60
    assert scores["all layers"]["auroc_low"] <= scores["all layers"]["auroc"] <= scores["all layers"]["auroc_high"]
    for name in ("curves", "calibration", "leaks", "splits", "examples", "embedding_map", "embedding_axes", "steps"):
        assert run.read_table(name), name
    assert run.has_table("warnings")
    assert {row["split"] for row in run.read_table("embedding_map")} == {"test"}
    assert all(line.split("\t")[0] for line in shown.out.splitlines())
    assert shown.out.splitlines()[0].split("\t")[:3] == ["method", "fits", "MCC"]
    lineage = run.read_lineage()
    assert lineage["parents"][0]["workflow"] == "pretrain"
    assert lineage["inputs"][0]["file"] == "ctcf_600.tsv"
    model, _ = load_checkpoint(run.checkpoint_path, "classifier")
    assert model.config.label_names == ("0", "1")
    assert {row["phase"] for row in run.read_metrics()} >= {"all layers, fit 1", "random weights, all layers, fit 2"}


def test_motif_sites_are_a_task_and_test_data_seen_before_are_told(
    tmp_path: Path, data_dir: Path, pretrained: Path, capsys: pytest.CaptureFixture[str]
):
    from lingome.data.genome import Genome

    genome = data_dir / "ci" / "chr20_30M_32M.fa.gz"
    seen = [{
        "by": "pretrain", "genome": Genome.open(genome).digest, "chrom": "chr20_30M_32M", "start": 0, "end": 2_000_000,
    }]
    (pretrained / "run.json").write_text(json.dumps({"workflow": "pretrain", "data_seen": seen}))
    words = [
        "finetune", str(genome), str(data_dir / "annotation" / "jaspar2024_selected.jaspar"),
        str(data_dir / "ci" / "chr20_30M_32M_ctcf.narrowPeak"), "-m", str(pretrained), "task.p_value=1e-4",
        "method=features", "random_control=false", "baselines=false", *QUICK,
    ]
    assert main([*words, "-o", str(tmp_path / "run")]) == 0
    run = RunDir.open(tmp_path / "run")
    warnings = {row["topic"]: row["text"] for row in run.read_table("warnings")}
    n_test = next(row["n"] for row in run.read_table("splits") if row["split"] == "test")
    assert f"{n_test} of {n_test} test sequences were read" in warnings["test data seen before"]
    lineage = run.read_lineage()
    assert {one["by"] for one in lineage["data_seen"]} == {"pretrain", "finetune"}
    assert sum(lineage["background"]) == pytest.approx(1)
    assert [row["name"] for row in run.read_table("scores")] == ["frozen features"]
    assert main([*words, "-o", str(tmp_path / "run")]) == 3, "a run is not replaced without --force"
    assert "add --force" in capsys.readouterr().err


def test_regions_against_matched_background(tmp_path: Path, data_dir: Path):
    words = [
        "finetune", str(data_dir / "ci" / "chr20_30M_32M.fa.gz"), str(data_dir / "ci" / "chr20_30M_32M_dsb_pos.bed"),
        "-m", "random:nano", "task.width_bp=200", "method=last:1", "seeds=1", "tune.epochs=0.5", "resamples=100",
        "baselines=false", "task.split.fractions=[0.5,0.2,0.3]", "-o", str(tmp_path / "run"),
    ]
    assert main(words) == 0
    rows = RunDir.open(tmp_path / "run").read_table("scores")
    assert [(row["name"], row["kind"], row["group"]) for row in rows] == [("last layer", "model", "random weights")]


def test_dry_run_plans_and_writes_nothing(tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    table = str(data_dir / "ci" / "gue_tf_0_400.csv")
    assert main(["finetune", table, "-m", "random:nano", "-o", str(out), "--dry-run"]) == 0
    said = capsys.readouterr().err
    for word in ("examples", "parameters", "memory", "time", "nothing was written"):
        assert word in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-m", "random:nano"], 2, "nothing to learn from"),
        (["TABLE", "method=lora"], 2, "no way to adapt a model is called 'lora'"),
        (["TABLE", "-m", "nowhere"], 3, "there is no model 'nowhere'"),
        (["TABLE", "-m", "random:nano", "method=last:4"], 2, "fewer layers"),
        (["TABLE", "-m", "random:nano", "task.label_column=nope"], 3, "there is no column 'nope'"),
        (["reads.bam"], 2, "does not say what it holds"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(
    words: list[str], code: int, message: str, tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
):
    table = str(data_dir / "ci" / "ctcf_600.tsv")
    words = [table if word == "TABLE" else word for word in words]
    assert main(["finetune", *words, "-o", str(tmp_path / "run")]) == code
    said = capsys.readouterr().err
    assert message in said.replace("\n", " ")
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()
