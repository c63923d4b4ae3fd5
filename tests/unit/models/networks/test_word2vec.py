"""A table of static vectors, as a body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lingome.core.errors import CheckpointError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.word2vec.model import StaticEmbeddings, build_static
from lingome.models.networks.word2vec.shape import StaticConfig
from lingome.models.presets import build_classifier
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()


def table(seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(TOKENIZER.vocab_size, 6)).astype(np.float32)
    values[TOKENIZER.special_ids] = 0
    return values


def body() -> StaticEmbeddings:
    return build_static(table(), "skipgram", TOKENIZER)


def test_a_table_comes_back_bit_for_bit_from_one_tensor(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model", body(), TOKENIZER)
    loaded, tokenizer = load_checkpoint(tmp_path / "model", "body")
    assert isinstance(loaded, StaticEmbeddings)
    assert loaded.config == StaticConfig(TOKENIZER.vocab_size, 6, algorithm="skipgram")
    assert np.array_equal(loaded.tokens.weight.detach().numpy(), table())
    assert [name for name, _ in loaded.named_parameters()] == ["tokens.weight"]
    assert tokenizer.digest == TOKENIZER.digest
    assert "skip-gram" in (tmp_path / "model" / "README.md").read_text()
    with pytest.raises(CheckpointError, match="static vectors, not a masked language model"):
        load_checkpoint(tmp_path / "model", "masked_lm")
    with pytest.raises(CheckpointError, match="not a lingome classifier"):
        load_checkpoint(tmp_path / "model", "classifier")


def test_states_are_rows_of_the_table_whatever_stands_around() -> None:
    ids = torch.tensor([[2, 5, 8, 3], [2, 5, 3, 0]])
    static = body()
    states = static.hidden_states(ids, ids != 0)
    assert len(states) == static.config.n_layers + 1
    assert torch.equal(states[0], torch.from_numpy(table())[ids])
    assert torch.equal(states[0], static(ids))


def test_a_classifier_on_a_table_pools_by_hand_and_comes_back(tmp_path: Path) -> None:
    model = build_classifier(body().config, label_names=("no", "yes"), seed=1, body=body()).eval()
    ids = torch.tensor([[2, 5, 8, 8, 3, 0]])
    mean = torch.from_numpy(table())[[5, 8, 8]].mean(dim=0)
    expected = mean @ model.head.weight.T + model.head.bias
    assert torch.allclose(model(ids, ids != 0)[0], expected, atol=1e-6)
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    loaded, _ = load_checkpoint(tmp_path / "model", "classifier")
    assert loaded.config.label_names == ("no", "yes")
    assert torch.equal(loaded(ids, ids != 0), model(ids, ids != 0))
    bare, _ = load_checkpoint(tmp_path / "model", "body")
    assert torch.equal(bare(ids), model.body(ids))


@pytest.mark.parametrize(("old", "new", "message"), [
    ('"hidden_size": 6', '"hidden_size": 7', "weights do not fit"),
    ('"hidden_size": 6', '"hidden_size": 0', "shape cannot be used"),
    ('"hidden_size": 6', '"hidden_size": "six"', "needs a number"),
    ('"algorithm": "skipgram"', '"algorithm": "glove"', "shape cannot be used"),
])
def test_a_damaged_config_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    save_checkpoint(tmp_path / "model", body(), TOKENIZER)
    file = tmp_path / "model" / "config.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "model", "body")
