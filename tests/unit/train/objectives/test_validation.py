"""Perplexity and bits per base of models whose answers are known."""

import math

import numpy as np
import pytest
import torch

from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.train.objectives import CausalObjective, MaskedObjective
from lingome.train.objectives.validation import CausalValidation, MaskedValidation, build_validation

TOKENIZER = CharacterTokenizer()


class Uniform(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(size))

    def forward(self, input_ids, attention_mask=None, masked=None):
        return self.logits.expand(int(masked.sum()), -1)


def test_validation_of_known_models():
    windows = np.random.default_rng(0).integers(5, 9, (30, 50))
    validation = MaskedValidation(windows, MaskedObjective(TOKENIZER), seed=0, batch_tokens=520)
    assert len(validation.batches) == 3
    uniform = validation(Uniform(9))
    assert uniform["loss"] == pytest.approx(math.log(9), rel=1e-6)
    assert uniform["perplexity"] == pytest.approx(9, rel=1e-6)
    assert uniform["bits_per_base"] == pytest.approx(math.log2(9), rel=1e-6)
    counts = np.array([0] * 5 + [10**9] * 4)
    assert validation.unigram(counts)["bits_per_base"] == pytest.approx(2.0, rel=1e-6)


class Table(torch.nn.Module):
    """Logits of the next token from the one read."""

    def __init__(self, chances):
        super().__init__()
        self.table = torch.nn.Parameter(torch.log(torch.as_tensor(chances)))

    def forward(self, input_ids, attention_mask=None):
        return self.table[input_ids]


def test_causal_validation_by_hand():
    # A 5, C 6: after [CLS] A with 1/2, after A C with 1/4, after C A with 1/8; two windows ACA, and CLS C is 1/16.
    chances = np.full((9, 9), 1 / 9)
    for before, after, p in [(2, 5, 1 / 2), (2, 6, 1 / 16), (5, 6, 1 / 4), (6, 5, 1 / 8)]:
        chances[before, after] = p
    for row in (2, 5, 6):
        free = chances[row] == 1 / 9
        chances[row, free] = (1 - chances[row, ~free].sum()) / free.sum()
    windows = np.array([[5, 6, 5], [6, 5, 6]], dtype=np.uint16)
    for batch_tokens in (5, 100):  # a window a batch, or both
        got = CausalValidation(windows, TOKENIZER, batch_tokens=batch_tokens)(Table(chances))
        # (1 + 2 + 3) + (4 + 3 + 2) bits; the ends are not guessed
        assert got["bits_per_base"] == pytest.approx(15 / 6, rel=1e-6)
        assert got["loss"] == pytest.approx(15 / 6 * math.log(2), rel=1e-6)
        assert got["perplexity"] == pytest.approx(2 ** (15 / 6), rel=1e-6)
    unigram = CausalValidation(windows, TOKENIZER).unigram(np.array([0] * 5 + [6, 0, 0, 0]))
    # one added to each: A 7 of 15, C 1 of 15
    assert unigram["loss"] == pytest.approx(-(3 * math.log(7 / 15) + 3 * math.log(1 / 15)) / 6)


def test_bases_of_overlapping_words_are_counted_once():
    words = KmerTokenizer(3)
    windows = np.array([words.encode("GATTACA").input_ids, words.encode("CATTAGA").input_ids])
    uniform = Table(np.full((words.vocab_size,) * 2, 1 / words.vocab_size))
    got = build_validation(windows, CausalObjective(words), seed=0)(uniform)
    assert got["perplexity"] == pytest.approx(69, rel=1e-5)
    assert got["bits_per_base"] == pytest.approx(10 * math.log2(69) / 14, rel=1e-5)
    assert isinstance(build_validation(windows, MaskedObjective(words), seed=0), MaskedValidation)
