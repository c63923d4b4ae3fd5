"""HyenaDNA folders: saved, loaded, and refused where they do not fit."""

import dataclasses
from pathlib import Path

import pytest
import torch

from lingome.core.errors import CheckpointError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.hyena.model import HyenaLM, build_hyena_lm
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.presets import build_classifier
from lingome.tokens.characters import CharacterTokenizer

SMALL = HyenaConfig(hidden_size=16, n_layers=2, ffn_size=40, max_positions=66, filter_size=8)
LETTERS = CharacterTokenizer(layout="hyenadna")
OWN = dataclasses.replace(SMALL, vocab_size=9, vocab_multiple=1, pad_id=0, cls_id=2, sep_id=3)


@pytest.mark.parametrize("tied", [True, False])
def test_saved_and_loaded(tmp_path: Path, tied: bool) -> None:
    model = build_hyena_lm(dataclasses.replace(SMALL, tie_head=tied), seed=1).eval()
    save_checkpoint(tmp_path / "model", model, LETTERS)
    again, tokenizer = load_checkpoint(tmp_path / "model", "causal_lm")
    assert isinstance(again, HyenaLM)
    ids = torch.from_numpy(tokenizer.encode("GATTACAN").input_ids.astype("int64"))[None]
    assert ids.tolist() == [[9, 7, 10, 10, 7, 8, 7, 11]]
    assert again.config == model.config
    assert torch.equal(again(ids), model(ids))
    assert (again.head.weight is again.body.tokens.weight) is tied
    assert not again.training
    learned = sum(parameter.numel() for parameter in model.parameters())
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"{learned:,} parameters" in card  # not the computed tables of the file
    assert "Hyena: 2 layers of 16, feed-forward 40, up to 66 tokens; each token sees those before it" in card
    assert torch.equal(load_checkpoint(tmp_path / "model", "body")[0](ids), model.body(ids))
    with pytest.raises(CheckpointError, match=r"(?s)causal language model.*hyenadna"):
        load_checkpoint(tmp_path / "model", "masked_lm")


def test_a_vocabulary_of_ones_own(tmp_path: Path) -> None:
    model = build_hyena_lm(OWN, seed=1).eval()
    save_checkpoint(tmp_path / "model", model, CharacterTokenizer())
    again, tokenizer = load_checkpoint(tmp_path / "model", "causal_lm")
    assert (again.config, tokenizer.vocab) == (OWN, CharacterTokenizer().vocab)


def test_a_classifier_on_it(tmp_path: Path) -> None:
    model = build_classifier(SMALL, label_names=("a", "b", "c"), seed=2).eval()
    save_checkpoint(tmp_path / "model", model, LETTERS)
    again, _ = load_checkpoint(tmp_path / "model", "classifier")
    ids = torch.tensor([[9, 7, 10, 10]])
    assert again(ids).shape == (1, 3)
    assert torch.equal(again(ids), model(ids))
    with pytest.raises(CheckpointError, match="this is a classifier"):
        load_checkpoint(tmp_path / "model", "causal_lm")


def test_a_published_folder_has_no_tokenizer(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model", build_hyena_lm(SMALL), LETTERS)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "model" / name).unlink()
    assert load_checkpoint(tmp_path / "model", "causal_lm")[1].vocab == LETTERS.vocab


def test_another_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not fit the model"):
        save_checkpoint(tmp_path / "model", build_hyena_lm(SMALL), CharacterTokenizer())
    save_checkpoint(tmp_path / "model", build_hyena_lm(SMALL), LETTERS)
    CharacterTokenizer().save(tmp_path / "model")
    with pytest.raises(CheckpointError, match="does not fit the model"):
        load_checkpoint(tmp_path / "model", "causal_lm")
