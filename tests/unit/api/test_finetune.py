"""Fine-tuning and evaluation by a call give the numbers and the run directory of the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import lingome as lg
from lingome.cli.main import main
from lingome.core.errors import ConfigError
from lingome.core.rundir import RunDir
from lingome.data.readers.tables import read_sequences

QUICK = {"seeds": 2, "resamples": 100}


@pytest.fixture(scope="module")
def fit(table: Path) -> lg.Fit:
    model = lg.load("random:nano", device="cpu")
    return lg.finetune(model, lg.Task.from_table(table), "features,full", epochs=1, **QUICK)


@pytest.fixture(scope="module")
def run_of_the_command(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "command"
    words = ["finetune", str(table), "model=random:nano", "method=features,full", "seeds=2", "resamples=100"]
    assert main([*words, "tune.epochs=1", "--device", "cpu", "-o", str(out)]) == 0
    return out


def test_scores_are_those_of_the_command(fit: lg.Fit, run_of_the_command: Path, tmp_path: Path):
    saved = RunDir(fit.save(tmp_path / "mine"))
    theirs = RunDir(run_of_the_command)
    tables = sorted(file.stem for file in (theirs.path / "tables").iterdir())
    assert sorted(file.stem for file in (saved.path / "tables").iterdir()) == tables
    assert len(tables) >= 9
    for name in set(tables) - {"steps"}:
        file = Path("tables") / f"{name}.tsv"
        assert (saved.path / file).read_text() == (theirs.path / file).read_text()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (saved.checkpoint_path / name).read_bytes() == (theirs.checkpoint_path / name).read_bytes()
    mine, other = yaml.safe_load((saved.path / "config.yaml").read_text()), theirs.read_config()
    assert {**mine, "out": None} == {**other, "out": None}
    lineage, expected = saved.read_lineage(), theirs.read_lineage()
    assert lineage["answer"] == expected["answer"] == fit.answer
    assert lineage["inputs"] == expected["inputs"]
    assert set(lineage) == set(expected)
    assert "lingome.finetune('random:nano'" in lineage["command"]
    mine, other = saved.read_metrics(), theirs.read_metrics()
    assert [{**line, "time_s": 0} for line in mine] == [{**line, "time_s": 0} for line in other]


def test_commands_read_what_was_saved(fit: lg.Fit, table: Path, tmp_path: Path):
    run = fit.save(tmp_path / "mine")
    assert lg.report(run).stat().st_size > 10_000
    out = tmp_path / "p.tsv"
    assert main(["predict", str(run), str(table), "--device", "cpu", "-o", str(out)]) == 0
    chances = fit.predict_proba(table)
    assert [line.split("\t")[1] for line in out.read_text().splitlines()[1:]] == [f"{one:.6f}" for one in chances[:, 1]]
    words = ["evaluate", str(run), "seeds=1", "n_trees=5", "resamples=100", "--device", "cpu"]
    assert main([*words, "-o", str(tmp_path / "e")]) == 0


def test_a_fit_shows_model_baselines_controls_and_warnings(fit: lg.Fit):
    scores = fit.scores.to_dicts()
    assert {row["kind"] for row in scores} == {"model", "baseline"}
    assert all(row["auroc_low"] <= row["auroc"] <= row["auroc_high"] for row in scores)
    assert "majority class" in repr(fit)
    assert fit.answer in repr(fit)
    assert "<table>" in fit._repr_html_()
    assert fit.warnings.columns == ("level", "topic", "text")
    assert len(fit.leaks)


def test_the_classifier_predicts_and_embeds(fit: lg.Fit, labelled):
    sequences, _ = labelled
    chances = fit.predict_proba(sequences)
    assert chances.shape == (120, 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert set(fit.predict(sequences)) <= {"poor", "rich"}
    assert fit.label_names == ("poor", "rich")
    assert fit.classifier.embed(sequences).shape == (120, 32)


def test_a_saved_fit_is_opened_as_a_model(fit: lg.Fit, labelled, tmp_path: Path):
    again = lg.load(fit.save(tmp_path / "mine"), device="cpu")
    np.testing.assert_allclose(again.predict_proba(labelled[0]), fit.predict_proba(labelled[0]), atol=1e-6)


def test_data_in_memory_is_enough(labelled, tmp_path: Path):
    options = {"baselines": False, "random_control": False, "seeds": 1, "resamples": 100}
    fit = lg.finetune("random:nano", labelled, "features", **options)
    run = fit.save(tmp_path / "mine")
    assert read_sequences(run / "tables" / "examples.tsv")[1] == labelled[0]
    assert lg.report(run).is_file()


def test_an_option_that_is_none_is_refused(table: Path):
    with pytest.raises(ConfigError, match=r"did you mean 'tune.epochs'|there is no setting 'epoch'"):
        lg.finetune("random:nano", table, "features", epoch=1)
    with pytest.raises(ConfigError, match="no way to adapt a model is called 'half'"):
        lg.finetune("random:nano", table, "half")


def test_an_evaluation_is_that_of_the_command(fit: lg.Fit, table: Path, tmp_path: Path):
    out = tmp_path / "command"
    words = ["evaluate", str(table), "seeds=1", "n_trees=5", "resamples=100", "--device", "cpu", "-o", str(out)]
    assert main(words) == 0
    found = lg.evaluate(table, seeds=1, n_trees=5, resamples=100)
    saved = found.save(tmp_path / "mine")
    for name in ("scores", "curves", "calibration", "leaks", "warnings"):
        assert (saved / "tables" / f"{name}.tsv").read_text() == (out / "tables" / f"{name}.tsv").read_text()
    assert found.answer == RunDir(out).read_lineage()["answer"]
    assert found.answer in repr(found)
    assert "<table>" in found._repr_html_()
    measured = lg.evaluate(fit, seeds=1, n_trees=5, resamples=100)
    assert measured.scores.to_dicts()[0]["name"] == "fine-tuned random:nano"


def test_a_language_model_is_measured_on_a_genome(fasta: Path, tmp_path: Path):
    out = tmp_path / "command"
    model = lg.load("random:nano", device="cpu")
    folder = model.save(tmp_path / "model")
    words = ["evaluate", str(folder), f"genome={fasta}", "n_windows=10", "window_bp=60", "--device", "cpu"]
    assert main([*words, "-o", str(out)]) == 0
    found = lg.evaluate(str(folder), fasta, n_windows=10, window_bp=60)
    theirs = RunDir(out).read_table("language")
    assert [row["name"] for row in theirs] == [row["name"] for row in found.scores.to_dicts()]
    assert [f"{row['bits_per_base']:.6g}" for row in found.scores.to_dicts()] == [
        f"{row['bits_per_base']:.6g}" for row in theirs
    ]
    with pytest.raises(ConfigError, match="a language model is measured on a genome"):
        lg.evaluate(model, (["ACGT"] * 20, [0, 1] * 10), baselines=False)
    with pytest.raises(ConfigError, match="nothing to measure on"):
        lg.evaluate(model)
