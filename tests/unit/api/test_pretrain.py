"""Pre-training by a call gives the weights and the run directory of the command."""

from __future__ import annotations

from pathlib import Path

import pytest

import lingome as lg
from lingome.cli.main import main
from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.rundir import RunDir

QUICK = {"max_steps": 3, "merges": 10, "batch_tokens": 256, "max_tokens": 40, "device": "cpu", "validation_share": 0.1,
         "gap_bp": 100}


@pytest.fixture(scope="module")
def masked(fasta: Path) -> lg.Model:
    return lg.pretrain(lg.open_genome(fasta), preset="nano", **QUICK)


def test_weights_and_tables_are_those_of_the_command(masked, fasta: Path, tmp_path: Path):
    out = tmp_path / "command"
    words = ["pretrain", str(fasta), "preset=nano", "merges=10", "max_tokens=40", "validation_share=0.1", "gap_bp=100"]
    assert main([*words, "train.max_steps=3", "train.batch_tokens=256", "--device", "cpu", "-o", str(out)]) == 0
    mine = RunDir(masked.save(tmp_path / "mine"))
    theirs = RunDir(out)
    for name in ("model.safetensors", "config.json", "tokenizer.json", "README.md"):
        assert (mine.checkpoint_path / name).read_bytes() == (theirs.checkpoint_path / name).read_bytes()
    for name in ("language", "warnings"):
        file = Path("tables") / f"{name}.tsv"
        assert (mine.path / file).read_text() == (theirs.path / file).read_text()
    assert sorted(one.name for one in mine.path.iterdir()) == sorted(one.name for one in theirs.path.iterdir())
    assert {**mine.read_config(), "out": None} == {**theirs.read_config(), "out": None}
    assert set(mine.read_lineage()) == set(theirs.read_lineage())
    assert mine.read_lineage()["data_seen"] == theirs.read_lineage()["data_seen"]
    assert lg.report(mine.path).is_file()


def test_the_result_is_a_model(masked, tmp_path: Path):
    assert masked.kind == "masked language model"
    assert masked.embed(["ACGT"]).shape == (1, 32)
    assert masked.score(["ACGTACGT"]).scores[0] < 0
    assert "3 steps" in repr(masked)
    assert "bits_per_base" in masked.scores.columns
    with pytest.raises(CheckpointError, match="causal"):
        masked.generate()


def test_a_size_alone_is_a_causal_model_that_writes(fasta: Path):
    model = lg.pretrain(fasta, preset="mini", tokenizer=lg.train_bpe(fasta, merges=4), **{**QUICK, "max_steps": 1})
    assert model.kind == "causal language model"
    assert model.tokenizer.vocab_size == 13
    assert [len(one) for one in model.generate(n=2, length_bp=30)] == [30, 30]


def test_training_goes_on_from_a_model(masked, fasta: Path):
    options = {name: value for name, value in QUICK.items() if name != "merges"}
    further = lg.pretrain(fasta, start_from=masked, **options)
    assert further.kind == "masked language model"
    assert further.n_parameters == masked.n_parameters


def test_a_run_directory_can_be_named(fasta: Path, tmp_path: Path):
    model = lg.pretrain(fasta, preset="nano", out=tmp_path / "run", **QUICK)
    assert (tmp_path / "run" / "run.json").is_file()
    assert model.run.path == tmp_path / "run"


def test_an_option_that_is_none_is_refused(fasta: Path):
    with pytest.raises(ConfigError, match="there is no setting 'max_step'"):
        lg.pretrain(fasta, max_step=3)
