"""Models by name, folder, run, hub id, or with random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.files import digest_file
from lingome.models.architecture import Body
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.hyena.model import build_hyena_lm
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.open import find_model, load_model, packaged_models, read_lineage
from lingome.models.presets import build_causal_lm, build_classifier, build_masked_lm
from lingome.models.scoring.questions import is_causal
from lingome.models.scoring.scores import score_sequences
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    save_checkpoint(folder / "checkpoint", build_masked_lm("nano", 9, seed=5), CharacterTokenizer())
    (folder / "run.json").write_text(json.dumps({"workflow": "pretrain", "data_seen": []}))
    return folder


def test_a_run_and_its_checkpoint_are_the_same_model(run: Path) -> None:
    assert find_model(run) == find_model(run / "checkpoint") == run / "checkpoint"
    opened = load_model(str(run), "body")
    expected = build_masked_lm("nano", 9, seed=5).body.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in opened.model.state_dict().items())
    assert opened.digest == digest_file(run / "checkpoint" / "model.safetensors")
    assert opened.lineage["workflow"] == "pretrain"
    assert not opened.model.training


def test_every_packaged_model_loads_is_small_and_kept_the_test_block_unseen() -> None:
    assert set(packaged_models()) == {"human-mini", "human-dilated"}
    for name, folder in packaged_models().items():
        assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000
        opened = load_model(name)
        assert opened.folder == folder
        assert opened.lineage["workflow"] == "pretrain", "a packaged model says how it was trained"
        assert max(part["end"] for part in opened.lineage["data_seen"]) == 50_000_000


def test_random_weights_are_a_function_of_the_seed(tmp_path: Path) -> None:
    one, same, other = (load_model("random:nano", "body", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.model.tokens.weight, same.model.tokens.weight)
    assert not torch.equal(one.model.tokens.weight, other.model.tokens.weight)
    assert (one.folder, one.digest, one.lineage, one.tokenizer.kind) == (None, "", {}, "characters")
    KmerTokenizer(3, False).save(tmp_path)
    with_words = load_model("random:nano", "body", tokenizer=tmp_path).model
    assert with_words.config.vocab_size == 73  # 5 special, 64 3-mers, 4 letters


def test_random_weights_of_every_promise() -> None:
    assert isinstance(load_model("random:nano").model, MaskedLM)
    assert is_causal(load_model("random:gpt-mini").model)
    assert isinstance(load_model("random:t5-nano").model, EncoderDecoderLM)
    assert isinstance(load_model("random:t5-nano", "body").model, Body)
    assert is_causal(load_model("random:gpt-mini", "language_model").model)
    assert not is_causal(load_model("random:nano", "language_model").model)
    seeded = load_model("random:nano", "masked_lm", seed=3).model
    assert torch.equal(seeded.body.tokens.weight, build_masked_lm("nano", 9, seed=3).body.tokens.weight)
    with pytest.raises(ConfigError, match="of another kind"):
        load_model("random:nano", "causal_lm")
    with pytest.raises(ConfigError, match="of another kind"):
        load_model("random:t5-nano", "language_model")
    for promise in ("classifier", "tracks"):
        with pytest.raises(ConfigError, match="random:nano"):
            load_model("random:nano", promise)


def test_what_is_not_there_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no model 'nothing'"):
        find_model("nothing")
    with pytest.raises(CheckpointError, match="did you mean human-mini"):
        find_model("human_mini")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no model in this folder"):
        find_model(tmp_path / "empty")
    with pytest.raises(CheckpointError, match=f"a model is a folder(.|\n)*give the folder that it lies in: {run}"):
        find_model(run / "checkpoint" / "model.safetensors")
    with pytest.raises(ConfigError, match="random weights have no folder"):
        find_model("random:nano")
    with pytest.raises(ConfigError, match="has its own vocabulary"):
        load_model(run, "body", tokenizer=tmp_path)
    with pytest.raises(ConfigError, match="there is no model 'huge'"):
        load_model("random:huge", "body")


def test_a_model_of_the_hub_is_fetched_and_opened(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch_model(reference: str) -> Path:
        asked.append(reference)
        return run / "checkpoint"

    fake = ModuleType("lingome.models.hub")
    fake.fetch_model = fetch_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lingome.models.hub", fake)
    opened = load_model("hub:owner/name@v1", "masked_lm")
    assert asked == ["hub:owner/name@v1"]
    assert (opened.name, opened.folder) == ("hub:owner/name@v1", run / "checkpoint")


def test_lineage_that_cannot_be_read_is_refused(run: Path) -> None:
    assert read_lineage(run.parent) == {}
    for text, said in (("{", "cannot be read as JSON"), ("[]", "does not hold names and values")):
        (run / "run.json").write_text(text)
        with pytest.raises(CheckpointError, match=said):
            load_model(run)


def test_every_kind_scores_the_same_after_it_was_saved(tmp_path: Path) -> None:
    letters, published = CharacterTokenizer(), CharacterTokenizer(layout="hyenadna")
    hyena = build_hyena_lm(HyenaConfig(hidden_size=32, ffn_size=64, max_positions=66))
    for name, model, tokenizer, causal in (
        ("masked", build_masked_lm("nano", 9, 0), letters, False),
        ("causal", build_causal_lm("gpt-mini", 9, 0), letters, True),
        ("hyena", hyena, published, True),
    ):
        save_checkpoint(tmp_path / name, model, tokenizer)
        opened = load_model(tmp_path / name, "language_model")
        assert is_causal(opened.model) is causal
        before, after = (score_sequences(one, tokenizer, ["GATTACANNA"])[0] for one in (model, opened.model))
        assert after.score == pytest.approx(before.score, rel=1e-5)


def test_what_gives_no_probability_says_what_it_is_and_who_takes_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", build_classifier("nano", 9, label_names=("a", "b")), CharacterTokenizer())
    with pytest.raises(CheckpointError, match=r"no probability(.|\n)*classes a, b(.|\n)*lingome predict takes it"):
        load_model(tmp_path / "c", "language_model")
    assert isinstance(load_model(tmp_path / "c").model, SequenceClassifier)
    save_checkpoint(tmp_path / "b", build_masked_lm("nano", 9).body, CharacterTokenizer())
    with pytest.raises(CheckpointError, match=r"the body alone(.|\n)*lingome embed and lingome finetune take it"):
        load_model(tmp_path / "b", "language_model")
