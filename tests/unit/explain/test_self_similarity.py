"""Self-similarity, against the mean of all pairwise cosines."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lingome.core.errors import ConfigError, DataError
from lingome.explain.self_similarity import mean_cosine, read_contexts, self_similarity_table
from lingome.models.presets import build_masked_lm
from lingome.tokens.kmers import KmerTokenizer

TOKENIZER = KmerTokenizer(1, overlap=False)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def _windows() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.integers(5, 8, size=size) for size in (9, 12, 7)] + [np.array([8, 5])]


def test_the_mean_over_pairs_follows_from_the_sum():
    vectors = np.random.default_rng(0).normal(size=(7, 5))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [_cosine(one, other) for one, other in itertools.combinations(vectors, 2)]
    assert mean_cosine(units.sum(0), np.array(7)) == pytest.approx(np.mean(pairs))


def test_contexts_are_those_of_a_slow_count():
    body = build_masked_lm("tiny", TOKENIZER.vocab_size, seed=1).body
    for parameter in body.parameters():  # far from the start, where contexts hardly matter
        parameter.data *= 8
    windows = _windows()
    found = read_contexts(body, TOKENIZER, windows, batch_tokens=20, device="cpu", layer=1)
    vectors: list[list[tuple[int, int, np.ndarray]]] = [[], [], []]  # by layer: token, window, vector
    with torch.inference_mode():
        for number, window in enumerate(windows):
            ids = torch.tensor([[TOKENIZER.cls_id, *window, TOKENIZER.sep_id]])
            for layer, state in enumerate(body.hidden_states(ids)):
                vectors[layer] += [
                    (int(token), number, vector.double().numpy())
                    for token, vector in zip(window, state[0, 1:-1], strict=True)
                ]
    assert found.n.tolist() == np.bincount(np.concatenate(windows), minlength=TOKENIZER.vocab_size).tolist()
    for layer, states in enumerate(vectors):
        for token in (5, 6, 7):
            own = [vector for index, _, vector in states if index == token]
            pairs = [_cosine(one, other) for one, other in itertools.combinations(own, 2)]
            assert found.self_similarity[layer, token] == pytest.approx(np.mean(pairs), abs=1e-5)
            if layer == 1:
                assert np.allclose(found.means[token], np.mean(own, axis=0), atol=1e-5)
        apart = [
            _cosine(one[2], other[2]) for one, other in itertools.combinations(states, 2) if one[1] != other[1]
        ]
        assert found.baseline[layer] == pytest.approx(np.mean(apart), abs=1e-5)
    assert np.isnan(found.self_similarity[0, 8])  # occurs once
    assert found.self_similarity[0, 5] == pytest.approx(1)  # rotary positions: layer 0 knows no context
    assert 0 < found.self_similarity[2, 5] < 0.999


def test_no_more_contexts_than_asked_for_are_used():
    body = build_masked_lm("nano", TOKENIZER.vocab_size).body
    ids = np.full(30, 5)
    ids[3::7] = 6
    found = read_contexts(body, TOKENIZER, [ids[:20], ids[20:]], n_occurrences=4, batch_tokens=22, device="cpu")
    assert found.n[[5, 6]].tolist() == [4, 4]
    rows = self_similarity_table(TOKENIZER, found, found, least=4)
    assert len(rows) == 2 * (body.config.n_layers + 1)
    assert rows[0]["random_weights"] == rows[0]["self_similarity"]
    assert self_similarity_table(TOKENIZER, found, least=5) == []


def test_what_cannot_be_read_is_refused():
    body = build_masked_lm("nano", TOKENIZER.vocab_size).body
    with pytest.raises(DataError, match="long enough"):
        read_contexts(body, TOKENIZER, [])
    with pytest.raises(ConfigError, match="no such layer"):
        read_contexts(body, TOKENIZER, _windows(), layer=2)
