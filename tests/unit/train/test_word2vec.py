"""Word2Vec: what training promises."""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from lingome.core.errors import ConfigError, DataError, MissingExtraError
from lingome.train.word2vec import Vectors, Word2VecSettings, count_within, cut_sentences, thin_curve, train_word2vec

GROUPS = (np.arange(5, 10), np.arange(10, 15))
WHOLE = np.array([[0, 6000]])


def two_groups(seed: int = 0) -> np.ndarray:
    """Stretches of thirty tokens, each drawn from one of two groups that never meet within a stretch."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.choice(GROUPS[i % 2], 30) for i in range(200)]).astype(np.uint16)


def train(ids: np.ndarray, segments: np.ndarray, vocab_size: int, *, seed: int = 0, **settings: Any) -> Vectors:
    return train_word2vec(ids, segments, vocab_size, Word2VecSettings(**settings), seed=seed)


@pytest.mark.parametrize("algorithm", ["cbow", "skipgram"])
def test_planted_groups_are_found_again(algorithm: Any) -> None:
    found = train(two_groups(), WHOLE, 16, algorithm=algorithm, dims=8, epochs=20, lr=0.05).table
    unit = found[5:15] / np.linalg.norm(found[5:15], axis=1, keepdims=True)
    cosines = unit @ unit.T
    same = np.kron(np.eye(2), np.ones((5, 5))).astype(bool)
    assert cosines[same & ~np.eye(10, dtype=bool)].min() > cosines[~same].max()


def test_a_seed_gives_one_table_and_another_seed_another() -> None:
    first, again, other = (train(two_groups(), WHOLE, 16, dims=8, seed=seed).table for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_hash_salt_of_the_process_changes_nothing() -> None:
    code = (
        "import numpy as np, hashlib; from lingome.train.word2vec import Word2VecSettings, train_word2vec;"
        "ids = np.random.default_rng(0).integers(5, 9, 500).astype(np.uint16);"
        "t = train_word2vec(ids, np.array([[0, 500]]), 9, Word2VecSettings(dims=4)).table;"
        "print(hashlib.sha256(t.tobytes()).hexdigest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, text=True,
        check=True,
    ).stdout
    ids = np.random.default_rng(0).integers(5, 9, 500).astype(np.uint16)
    here = train(ids, np.array([[0, 500]]), 9, dims=4).table  # this process drew a salt of its own
    assert said.strip() == hashlib.sha256(here.tobytes()).hexdigest()


def test_rows_belong_to_ids_and_rare_and_special_tokens_have_zeros() -> None:
    ids = np.array([7] * 40 + [5] * 30 + [6], dtype=np.uint16)
    found = train(ids, np.array([[0, 71]]), 9, dims=4, min_count=2)
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
    assert np.abs(train(ids, segments, 8, dims=4).table[6]).sum() == 0


def test_the_loss_falls_and_every_token_of_every_epoch_is_counted() -> None:
    curve = train(two_groups(), WHOLE, 16, dims=8, epochs=8, lr=0.05).curve
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
        train(two_groups(), WHOLE, 16, **settings)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(DataError, match="no tokens to learn from"):
        train(np.empty(0, dtype=np.uint16), np.empty((0, 2), dtype=np.int64), 9)
    with pytest.raises(DataError, match="occurs 5 times"):
        train(np.array([5, 6, 5]), np.array([[0, 3]]), 9, min_count=5)


def test_without_gensim_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def lacking(name: str, package: str | None = None) -> Any:
        if name.startswith("gensim"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(MissingExtraError, match=r'pip install "lingome\[vectors\]"') as caught:
        train(two_groups(), WHOLE, 16)
    assert caught.value.exit_code == 4
