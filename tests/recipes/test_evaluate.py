"""``lingome evaluate`` on small real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lingome.cli.main import main
from lingome.config.evaluate import EvaluateSettings
from lingome.config.schema.settings import load_settings
from lingome.core.rundir import RunDir
from lingome.data.examples import Examples
from lingome.data.readers.tables import read_examples
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.presets import build_classifier, build_masked_lm
from lingome.tokens.kmers import KmerTokenizer

QUICK = ["seeds=1", "n_trees=20", "resamples=100"]
ROOT = Path(__file__).parents[2]


def _words(*words: object) -> list[str]:
    return [str(word) for word in words]


def test_a_table_alone(tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(_words("evaluate", "--table", data_dir / "ci" / "ctcf_600.tsv", "-o", out, *QUICK)) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("name\tseeds\tmcc\tauroc")
    assert "has to beat it" in shown.err
    run = RunDir.open(out)
    scores = {row["name"]: row for row in run.read_table("scores")}
    assert scores["majority class"]["mcc"] == 0
    assert scores["TF-IDF 3- to 6-mers, logistic regression"]["auroc"] > 0.75
    assert {row["check"] for row in run.read_table("leaks")} >= {"exact copies", "near duplicates", "distance"}
    assert run.read_table("curves")
    assert run.read_table("calibration")
    assert len(run.read_lineage()["inputs"][0]["sha256"]) == 64


def test_three_classes_without_a_split(tmp_path: Path, data_dir: Path) -> None:
    table = data_dir / "ci" / "gue_splice_reconstructed_400.csv"
    assert main(_words("evaluate", table, "-o", tmp_path / "run", *QUICK)) == 0
    assert all(row["n_positive"] is None for row in RunDir.open(tmp_path / "run").read_table("scores"))


def _classifier(folder: Path, n_classes: int = 2) -> Path:
    tokenizer = KmerTokenizer(3, overlap=False)
    names = tuple(str(index) for index in range(n_classes))
    save_checkpoint(folder, build_classifier("nano", tokenizer.vocab_size, names), tokenizer)
    return folder


def test_an_untrained_classifier_loses(tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = _classifier(tmp_path / "model")
    words = _words("evaluate", model, data_dir / "ci" / "ctcf_600.tsv", "-o", tmp_path / "run", *QUICK)
    assert main(words) == 0
    assert "is beaten by the strongest baseline" in capsys.readouterr().err
    rows = RunDir.open(tmp_path / "run").read_table("scores")
    assert rows[0]["kind"] == "model"
    assert any("kmers tokens" in row["name"] for row in rows)


def test_a_run_is_measured_again_on_its_own_examples(tmp_path: Path, data_dir: Path) -> None:
    ci, run = data_dir / "ci", tmp_path / "sites"
    words = ["finetune", ci / "chr20_30M_32M.fa.gz", data_dir / "annotation" / "jaspar2024_selected.jaspar",
             ci / "chr20_30M_32M_ctcf.narrowPeak", "-m", "random:nano", "method=features", "task.p_value=1e-4",
             "seeds=1", "resamples=100", "baselines=false", "-o", run]
    assert main(_words(*words)) == 0
    assert main(_words("evaluate", run, "-o", tmp_path / "again", "baselines=false", "resamples=100")) == 0
    first, again = (RunDir.open(folder).read_table("scores")[0] for folder in (run, tmp_path / "again"))
    # The classes are unbound and bound, in this order, though a table alone would sort them the other way.
    for name in ("auroc", "auprc", "mcc", "n_test", "n_positive"):
        assert again[name] == pytest.approx(first[name], abs=1e-4), name
    table = tmp_path / "table"
    assert main(_words("finetune", ci / "gue_tf_0_400.csv", "-m", "random:nano", "method=features", "seeds=1",
                       "resamples=100", "baselines=false", "-o", table)) == 0
    assert main(_words("evaluate", table, "-o", tmp_path / "third", "baselines=false", "resamples=100")) == 0


def test_planted_leak_is_in_the_warnings(tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples: Examples = read_examples(data_dir / "ci" / "gue_tf_0_400.csv")
    table = tmp_path / "leaky.csv"
    rows = [f"{s},{label},{'train' if i < 300 else 'test'}" for i, (s, label) in
            enumerate(zip(examples.sequences, examples.labels, strict=True))]
    rows += [f"{examples.sequences[i]},{examples.labels[i]},test" for i in range(10)]
    table.write_text("\n".join(["sequence,label,split", *rows]) + "\n")
    assert main(_words("evaluate", table, "-o", tmp_path / "run", *QUICK)) == 0
    assert "fail: exact copies, train-test: 10 of 110" in capsys.readouterr().err
    assert RunDir.open(tmp_path / "run").read_table("warnings")[0]["level"] == "fail"


def test_a_masked_language_model(tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = KmerTokenizer(3, overlap=False)
    save_checkpoint(tmp_path / "lm", build_masked_lm("nano", tokenizer.vocab_size), tokenizer)
    genome = data_dir / "ci" / "chr20_30M_32M.fa.gz"
    words = _words("evaluate", tmp_path / "lm", genome, "-o", tmp_path / "run", "n_windows=40")
    assert main(words) == 0
    rows = RunDir.open(tmp_path / "run").read_table("language")
    assert [row["name"].split(",")[0] for row in rows][1:] == ["token frequency", "Markov model"]
    assert [row["kind"] for row in rows] == ["model", "baseline", "baseline"]
    assert main(_words("report", tmp_path / "run")) == 0
    assert 1.7 < rows[2]["bits_per_base"] < 2.0 < rows[0]["bits_per_base"]
    assert "bits per base" in capsys.readouterr().err
    assert main(_words("evaluate", tmp_path / "lm", "-o", tmp_path / "other")) == 2
    assert "add a FASTA" in capsys.readouterr().err


def test_dry_run_and_mistakes_write_nothing(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = data_dir / "ci" / "ctcf_600.tsv", tmp_path / "run"
    assert main(_words("evaluate", "--table", table, "-o", out, "--dry-run")) == 0
    assert main(["evaluate"]) == 2
    assert main(_words("evaluate", tmp_path / "none", table, "-o", out)) == 3
    assert main(_words("evaluate", _classifier(tmp_path / "three", 3), table, "-o", out, *QUICK)) == 3
    assert "the model's classes are not those of the table" in capsys.readouterr().err
    assert not out.exists()


def test_shipped_settings_are_valid() -> None:
    files = sorted((ROOT / "configs" / "evaluate").glob("*.yaml"))
    assert len(files) == 2
    for file in files:
        assert load_settings(EvaluateSettings, file).table == Path("labelled.csv")


def test_a_run_that_cut_sequences_can_be_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table, run = tmp_path / "long.csv", tmp_path / "run"
    letters = np.random.default_rng(0).choice(list("ACGT"), (60, 1100))
    rows = [f"{''.join(row)},{index % 2}\n" for index, row in enumerate(letters)]
    table.write_text("sequence,label\n" + "".join(rows))
    words = ["-m", "random:nano", "method=features", "seeds=1", "resamples=100", "baselines=false"]
    assert main(["finetune", str(table), *words, "-o", str(run)]) == 3
    assert "tune.too_long=truncate" in capsys.readouterr().err
    assert main(["finetune", str(table), *words, "-o", str(run), "tune.too_long=truncate"]) == 0
    again = ["evaluate", str(run), "baselines=false", "resamples=100", "-o", str(tmp_path / "again")]
    assert main(again) == 3
    assert "too_long=truncate" in capsys.readouterr().err
    assert main([*again, "too_long=truncate"]) == 0
