"""Static vectors: what training promises, and the table as a body."""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lingome.core.errors import CheckpointError, ConfigError, DataError, MissingExtraError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.word2vec.model import (
    StaticEmbeddings,
    build_static,
    count_within,
    cut_sentences,
    thin_curve,
    train_word2vec,
)
from lingome.models.presets import build_classifier
from lingome.models.shape import StaticConfig
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()
GROUPS = (np.arange(5, 10), np.arange(10, 15))
WHOLE = np.array([[0, 6000]])


def two_groups(seed: int = 0) -> np.ndarray:
    """Stretches of thirty tokens, each drawn from one of two groups that never meet within a stretch."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.choice(GROUPS[i % 2], 30) for i in range(200)]).astype(np.uint16)


def table(seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(TOKENIZER.vocab_size, 6)).astype(np.float32)
    values[TOKENIZER.special_ids] = 0
    return values


def body() -> StaticEmbeddings:
    return build_static(table(), "skipgram", TOKENIZER)


@pytest.mark.parametrize("algorithm", ["cbow", "skipgram"])
def test_planted_groups_are_found_again(algorithm: Any) -> None:
    found = train_word2vec(two_groups(), WHOLE, 16, algorithm=algorithm, dims=8, epochs=20, lr=0.05).table
    unit = found[5:15] / np.linalg.norm(found[5:15], axis=1, keepdims=True)
    cosines = unit @ unit.T
    same = np.kron(np.eye(2), np.ones((5, 5))).astype(bool)
    assert cosines[same & ~np.eye(10, dtype=bool)].min() > cosines[~same].max()


def test_a_seed_gives_one_table_and_another_seed_another() -> None:
    first, again, other = (train_word2vec(two_groups(), WHOLE, 16, dims=8, seed=seed).table for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_hash_salt_of_the_process_changes_nothing() -> None:
    code = (
        "import numpy as np, hashlib; from lingome.models.networks.word2vec.model import train_word2vec;"
        "ids = np.random.default_rng(0).integers(5, 9, 500).astype(np.uint16);"
        "t = train_word2vec(ids, np.array([[0, 500]]), 9, dims=4).table; print(hashlib.sha256(t.tobytes()).hexdigest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, text=True,
        check=True,
    ).stdout
    ids = np.random.default_rng(0).integers(5, 9, 500).astype(np.uint16)
    here = train_word2vec(ids, np.array([[0, 500]]), 9, dims=4).table  # this process drew a salt of its own
    assert said.strip() == hashlib.sha256(here.tobytes()).hexdigest()


def test_rows_belong_to_ids_and_rare_and_special_tokens_have_zeros() -> None:
    ids = np.array([7] * 40 + [5] * 30 + [6], dtype=np.uint16)
    found = train_word2vec(ids, np.array([[0, 71]]), 9, dims=4, min_count=2)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 30, 1, 40, 0]
    assert (np.abs(found.table).sum(axis=1) > 0).tolist() == [i in (5, 7) for i in range(9)]
    assert found.table.dtype == np.float32


def test_sentences_stay_within_segments_and_tokens_outside_are_not_read() -> None:
    segments = np.array([[0, 2500], [2600, 2610]])
    spans = cut_sentences(segments)
    assert spans.tolist() == [[0, 1000], [1000, 2000], [2000, 2500], [2600, 2610]]
    ids = np.full(2700, 5, dtype=np.uint16)
    ids[2500:2600] = 6
    assert count_within(ids, segments, 8).tolist() == [0, 0, 0, 0, 0, 2510, 0, 0]
    assert np.abs(train_word2vec(ids, segments, 8, dims=4).table[6]).sum() == 0


def test_the_loss_falls_and_every_token_of_every_epoch_is_counted() -> None:
    curve = train_word2vec(two_groups(), WHOLE, 16, dims=8, epochs=8, lr=0.05).curve
    assert [tokens for tokens, _, _ in curve] == [6000 * i for i in range(1, 9)]
    assert curve[-1][1] < curve[0][1] < 6 * np.log(2) * 1.01  # five drawn and one true word, each at one half
    assert thin_curve(curve, 3)[-1][0] == 48_000
    assert thin_curve([]) == []


@pytest.mark.parametrize(("name", "value"), [
    ("algorithm", "glove"), ("dims", 0), ("dims", -3), ("window", 0), ("negatives", 0), ("epochs", 0),
    ("min_count", 0), ("workers", 0), ("lr", 0.0), ("subsample", 1.0),
])
def test_settings_out_of_range_are_named(name: str, value: Any) -> None:
    settings: dict[str, Any] = {name: value}
    with pytest.raises(ConfigError, match=name):
        train_word2vec(two_groups(), WHOLE, 16, **settings)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(DataError, match="no tokens to learn from"):
        train_word2vec(np.empty(0, dtype=np.uint16), np.empty((0, 2), dtype=np.int64), 9)
    with pytest.raises(DataError, match="occurs 5 times"):
        train_word2vec(np.array([5, 6, 5]), np.array([[0, 3]]), 9, min_count=5)


def test_without_gensim_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def lacking(name: str, package: str | None = None) -> Any:
        if name.startswith("gensim"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(MissingExtraError, match=r'pip install "lingome\[vectors\]"') as caught:
        train_word2vec(two_groups(), WHOLE, 16)
    assert caught.value.exit_code == 4


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
