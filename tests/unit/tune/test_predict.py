"""Order, batches and padding do not change what a classifier says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lingome.core.errors import DataError
from lingome.models.presets import build_classifier
from lingome.models.reading.pieces import cut_to_fit
from lingome.tokens.characters import CharacterTokenizer
from lingome.tune.predict import predict_probabilities, run_batches, softmax

TOKENIZER = CharacterTokenizer()


def random_sequences(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("ACGT"), int(size))) for size in rng.integers(3, 80, n)]


def test_probabilities_are_those_of_each_sequence_alone():
    model = build_classifier("tiny", 9, seed=2).eval()
    with torch.no_grad():
        model.head.weight.mul_(50)
    sequences = random_sequences(37)
    together = predict_probabilities(model, TOKENIZER, sequences, batch_tokens=200)
    alone = np.concatenate([predict_probabilities(model, TOKENIZER, [one]) for one in sequences])
    assert np.abs(together - alone).max() < 1e-5
    assert np.allclose(together.sum(axis=1), 1)
    # By hand for one: [CLS] ids [SEP], through the model itself.
    ids = torch.tensor([[2, *TOKENIZER.encode(sequences[5]).input_ids.tolist(), 3]])
    with torch.no_grad():
        expected = softmax(model(ids).numpy())
    assert np.abs(together[5] - expected[0]).max() < 1e-5


def test_features_through_the_head_are_the_logits():
    model = build_classifier("tiny", 9, seed=2)
    ids = cut_to_fit(TOKENIZER, random_sequences(5), 512).ids
    features = run_batches(model, TOKENIZER, ids, output="features")
    logits = run_batches(model, TOKENIZER, ids)
    weight, bias = model.head.weight.detach().numpy(), model.head.bias.detach().numpy()
    assert np.abs(features @ weight.T + bias - logits).max() < 1e-5


def test_long_empty_and_unknown():
    assert [len(one) for one in cut_to_fit(TOKENIZER, ["A" * 40, "ACN"], 12, "truncate").ids] == [10, 3]
    encoded = cut_to_fit(TOKENIZER, ["A" * 40, "ACN"], 12, "truncate")
    assert (encoded.n_long, encoded.n_unknown, len(encoded.warnings())) == (1, 1, 2)
    with pytest.raises(DataError, match="longer than the model can read"):
        cut_to_fit(TOKENIZER, ["ACG", "A" * 40], 12)
    with pytest.raises(DataError, match="sequence 2: a sequence is empty"):
        cut_to_fit(TOKENIZER, ["ACG", ""], 12)
