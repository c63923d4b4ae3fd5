"""Models by name, folder, run, or with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.files import digest_file
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tune.start import load_start, packaged_models, resolve_model


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    save_checkpoint(folder / "checkpoint", build_masked_lm("nano", 9, seed=5), CharacterTokenizer())
    (folder / "run.json").write_text(json.dumps({"workflow": "pretrain", "data_seen": []}))
    return folder


def test_a_run_and_its_checkpoint_are_the_same_model(run: Path):
    assert resolve_model(run) == resolve_model(run / "checkpoint") == run / "checkpoint"
    start = load_start(str(run))
    expected = build_masked_lm("nano", 9, seed=5).body.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in start.body.state_dict().items())
    assert start.digest == digest_file(run / "checkpoint" / "model.safetensors")
    assert start.lineage["workflow"] == "pretrain"


def test_every_packaged_model_loads_is_small_and_kept_the_test_block_unseen():
    assert set(packaged_models()) == {"human-mini", "human-dilated"}
    for name, folder in packaged_models().items():
        assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000
        start = load_start(name)
        assert start.folder == folder
        assert start.lineage["workflow"] == "pretrain", "a packaged model says how it was trained"
        assert max(part["end"] for part in start.lineage["data_seen"]) == 50_000_000


def test_random_weights_are_a_function_of_the_seed(tmp_path: Path):
    one, same, other = (load_start("random:nano", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.body.tokens.weight, same.body.tokens.weight)
    assert not torch.equal(one.body.tokens.weight, other.body.tokens.weight)
    assert (one.folder, one.digest, one.tokenizer.kind) == (None, "", "characters")
    KmerTokenizer(3, False).save(tmp_path)
    assert load_start("random:nano", tokenizer=tmp_path).body.config.vocab_size == 73  # 5 special, 64 3-mers, 4 letters


def test_what_is_not_there_is_named(run: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match="there is no model 'nothing'"):
        resolve_model("nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no model in this folder"):
        resolve_model(tmp_path / "empty")
    with pytest.raises(ConfigError, match="has its own vocabulary"):
        load_start(run, tokenizer=tmp_path)
    with pytest.raises(ConfigError, match="there is no model 'huge'"):
        load_start("random:huge")
