"""``lingome pretrain --ladder`` on two megabases of human chromosome 20."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
import yaml

from lingome.cli.main import main
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.train.loop import _Loop

QUICK = [
    "--ladder", "--merges", "20", "ladder.sizes=[32x1,32x2,64x1]", "ladder.tokens=[1000,2000,4000]", "ladder.seeds=2",
    "ladder.bootstrap=20", "train.batch_tokens=500", "max_tokens=62", "validation_windows=4", "train.precision=fp32",
]


def table(run, name):
    with (run / "tables" / f"{name}.tsv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.fixture(scope="module")
def genome(data_dir):
    return str(data_dir / "ci" / "chr20_30M_32M.fa.gz")


@pytest.fixture(scope="module")
def ladder(genome, tmp_path_factory):
    out = tmp_path_factory.mktemp("ladder") / "run"
    more = ["ladder.measure_attention=true", "ladder.attention_lengths=[16,32,64]"]
    assert main(["pretrain", genome, "-o", str(out), *QUICK, *more]) == 0
    return out


def test_the_ladder_is_a_run_of_runs(ladder):
    assert {path.name for path in ladder.iterdir()} == {"config.yaml", "run.json", "runs", "tables", "tokenizer"}
    rows = table(ladder, "ladder")
    assert len(rows) == len(list((ladder / "runs").iterdir())) == 10
    for row in rows:
        folder = ladder / "runs" / row["name"]
        assert float(table(folder, "language")[0]["loss"]) == pytest.approx(float(row["loss"]))
        n, d = int(row["parameters_without_embeddings"]), int(row["tokens"])
        assert float(row["flops"]) == pytest.approx(6 * n * d, rel=1e-4)
    assert {row["value"] for row in table(ladder, "ladder_laws") if row["law"] == "kaplan"} == {
        "Nc", "Dc", "alpha_N", "alpha_D"}
    assert [(row["law"], row["counted"]) for row in table(ladder, "ladder_budget")] == [
        ("chinchilla", "without embeddings"), ("chinchilla", "all"), ("kaplan", "without embeddings")]
    model, tokenizer = load_checkpoint(ladder / "runs" / "64x1-4000-seed0" / "checkpoint", "masked_lm")
    assert (model.config.hidden_size, tokenizer.vocab_size) == (64, 29)


def test_each_run_has_its_own_whole_schedule_and_the_same_masks(ladder):
    for tokens in (1000, 2000, 4000):
        folder = ladder / "runs" / f"32x1-{tokens}-seed0"
        last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-2])
        config = yaml.safe_load((folder / "config.yaml").read_text())["train"]
        assert last["step"] == config["max_steps"] == tokens / 500
        # Before the last step the cosine is at its end but for one step, warm-up or not.
        assert last["lr"] < config["lr"]
    frequencies = {table(folder, "language")[2]["loss"] for folder in (ladder / "runs").iterdir()}
    assert len(frequencies) == 1
    assert table(ladder, "ladder_baselines")[0]["loss"] in frequencies


def test_attention_is_measured_and_parameters_stay(ladder):
    rows = table(ladder, "attention_cost")
    assert len(rows) == 9
    assert len({row["parameters"] for row in rows}) == 1
    assert len(table(ladder, "attention_growth")) == 9


def test_a_run_that_is_missing_is_made_again_the_same_and_no_other(ladder, capsys):
    runs = ladder / "runs"
    before = table(ladder, "ladder")
    times = {path.name: (path / "run.json").stat().st_mtime_ns for path in runs.iterdir()}
    shutil.rmtree(runs / "32x2-2000-seed0")
    (ladder / "run.json").unlink()
    assert main(["pretrain", "-o", str(ladder), "--resume", "ladder.budget_flops=1e18"]) == 0
    after = table(ladder, "ladder")
    assert [row["loss"] for row in after] == [row["loss"] for row in before]
    now = {path.name: (path / "run.json").stat().st_mtime_ns for path in runs.iterdir()}
    assert {name for name in times if times[name] != now[name]} == {"32x2-2000-seed0"}
    assert {row["flops"] for row in table(ladder, "ladder_budget")} == {"1e+18"}
    assert "more than 10 times, a law is a guess" in capsys.readouterr().err
    assert main(["report", str(ladder)]) == 0


def test_a_ladder_whose_runs_lie_in_rungs_is_gone_on_with_there(ladder, tmp_path):
    """Version 0.1.0 wrote that folder."""
    old = tmp_path / "old"
    shutil.copytree(ladder, old)
    (old / "runs").rename(old / "rungs")
    shutil.rmtree(old / "rungs" / "32x2-2000-seed0")
    (old / "run.json").unlink()
    assert main(["pretrain", "-o", str(old), "--resume"]) == 0
    assert [row["loss"] for row in table(old, "ladder")] == [row["loss"] for row in table(ladder, "ladder")]
    assert (old / "rungs" / "32x2-2000-seed0" / "run.json").is_file()
    assert not (old / "runs").exists()


def test_a_causal_ladder_is_interrupted_and_gone_on_with(genome, tmp_path, monkeypatch):
    assert main(["tokens", "train", "--kind", "kmers", "k=2", "overlap=false", "-o", str(tmp_path / "two")]) == 0
    words = [word for word in QUICK if word not in ("--merges", "20")]
    out, step, count = tmp_path / "run", _Loop._step, [0]
    start = ["pretrain", genome, "-o", str(out), "--tokenizer", str(tmp_path / "two"), *words, "objective=causal"]

    def stops(loop, signals):
        count[0] += 1
        if count[0] == 4:  # in the second run: each of the first three has two steps
            raise KeyboardInterrupt
        return step(loop, signals)

    with monkeypatch.context() as patch:
        patch.setattr(_Loop, "_step", stops)
        assert main(start) == 130
    assert [path.parent.name for path in out.glob("runs/*/run.json")] == ["32x1-1000-seed0"]
    assert main(["pretrain", "-o", str(out), "--resume"]) == 0
    assert len(table(out, "ladder")) == 10
    frequencies, markov = table(out, "ladder_baselines")
    assert markov["name"].startswith("Markov model of bases")
    assert float(markov["loss"]) < float(frequencies["loss"])
    # Words of two bases: twice the bits of a base, in nats.
    assert float(markov["loss"]) == pytest.approx(2 * 0.693147 * float(markov["bits_per_base"]), rel=1e-3)


def test_the_plan_says_how_many_runs(genome, tmp_path, capsys):
    assert main(["pretrain", genome, "-o", str(tmp_path / "x"), *QUICK, "--dry-run"]) == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert "10 to do" in said
    assert "23,000 in all" in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("word", [
    "ladder.sizes=[32x1,33x1,64x1]", "train.max_steps=5", "ladder.tokens=[1000,2000]", "ladder.width=3",
])
def test_wrong_settings_are_refused_before_anything_is_written(genome, tmp_path, word):
    assert main(["pretrain", genome, "-o", str(tmp_path / "x"), *QUICK, word]) == 2
    assert not (tmp_path / "x").exists()
