"""The chain rule on models whose conditionals are known."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lingome.core.errors import DataError
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.presets import build_causal_lm
from lingome.models.scoring.scores import score_sequences
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.train.objectives.validation import CausalValidation

LETTERS = CharacterTokenizer()
TINY = DecoderConfig(hidden_size=64, n_layers=2, n_heads=2, n_kv_heads=1, ffn_size=128, max_positions=128)


def log_likelihood(model, tokenizer, sequences, **options):
    return score_sequences(model, tokenizer, sequences, "log_likelihood", **options)


class Bigram(nn.Module):
    """The next token depends on the one before it: `chances` (V, V), rows that sum to one."""

    causal = True

    def __init__(self, chances, max_positions=64):
        super().__init__()
        self.table = nn.Parameter(torch.log(torch.as_tensor(chances, dtype=torch.float32)))
        self.config = SimpleNamespace(max_positions=max_positions)

    def forward(self, input_ids, attention_mask=None):
        assert input_ids.shape[1] <= self.config.max_positions
        return self.table[input_ids]


def known(seed=0):
    """Random conditionals of letters and the end; nothing else is ever given."""
    chances = np.full((9, 9), 1e-30)
    chances[:, [3, 5, 6, 7, 8]] = np.random.default_rng(seed).dirichlet(np.ones(5), 9)
    return chances


def by_hand(chances, sequence, ends):
    ids = [2, *(5 + "ACGT".index(letter) for letter in sequence), *([3] if ends else [])]
    return sum(math.log(chances[a, b]) for a, b in itertools.pairwise(ids))


def test_log_likelihoods_are_sums_of_known_conditionals():
    chances = known()
    sequences = ["GATTACA", "C", "ACGTACGTACGTACG", "TT"]
    for ends in (False, True):
        scores = log_likelihood(Bigram(chances), LETTERS, sequences, ends=ends)
        for score, sequence in zip(scores, sequences, strict=True):
            expected = by_hand(chances, sequence, ends)
            assert score.score == pytest.approx(expected, rel=1e-5)
            assert score.bits_per_letter == pytest.approx(-expected / math.log(2) / len(sequence), rel=1e-5)
            assert (score.n_tokens, score.n_letters, score.n_unknown) == (len(sequence) + ends, len(sequence), 0)


def test_probabilities_sum_to_one():
    model = Bigram(known(1))
    of_length = ["".join(letters) for letters in itertools.product("ACGT", repeat=3)]
    # Without ends, those of all sequences of a length sum to the chance that none of them ends before.
    total = sum(math.exp(score.score) for score in log_likelihood(model, LETTERS, of_length))
    ended = sum(
        math.exp(score.score) for n in (1, 2) for score in
        log_likelihood(model, LETTERS, ["".join(s) for s in itertools.product("ACGT", repeat=n)], ends=True)
    ) + known(1)[2, 3]
    assert total + ended == pytest.approx(1, abs=1e-5)


def test_the_result_does_not_depend_on_batch_padding_or_order():
    model = build_causal_lm(TINY, LETTERS.vocab_size, 0)
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), n)) for n in rng.integers(1, 90, 23)]
    alone = np.array([log_likelihood(model, LETTERS, [one])[0].score for one in sequences])
    for batch_tokens in (1, 200, 10_000):
        scores = log_likelihood(model, LETTERS, sequences, batch_tokens=batch_tokens)
        assert np.abs(np.array([s.score for s in scores]) / alone - 1).max() < 1e-5
    turned = log_likelihood(model, LETTERS, sequences[::-1])
    assert np.abs(np.array([s.score for s in turned[::-1]]) / alone - 1).max() < 1e-5


def test_unknown_letters_are_seen_but_not_guessed():
    chances = known()
    chances[1] = chances[5]
    score = log_likelihood(Bigram(chances), LETTERS, ["ACNGT"])[0]
    steps = [(2, 5), (5, 6), (1, 7), (7, 8)]
    assert score.score == pytest.approx(sum(math.log(chances[a, b]) for a, b in steps), rel=1e-5)
    assert (score.n_tokens, score.n_letters, score.n_unknown) == (4, 4, 1)
    nothing = log_likelihood(Bigram(chances), LETTERS, ["NN", "A"])[0]
    assert nothing.score == 0
    assert math.isnan(nothing.bits_per_letter)


def test_what_does_not_fit_is_refused():
    model = Bigram(known(), max_positions=8)
    assert log_likelihood(model, LETTERS, ["ACGTACG"], ends=True)[0].n_tokens == 8
    with pytest.raises(DataError, match="sequence 2 of 2"):
        log_likelihood(model, LETTERS, ["A", "ACGTACGT"])
    with pytest.raises(DataError, match="no sequences"):
        log_likelihood(model, LETTERS, [])


@pytest.mark.parametrize("tokenizer", [LETTERS, KmerTokenizer(3, overlap=False)])
def test_validation_and_scores_are_the_same_sum(tokenizer):
    model = build_causal_lm(TINY, tokenizer.vocab_size, 0).eval()
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 90)) for _ in range(5)]
    windows = np.array([tokenizer.encode(sequence).input_ids for sequence in sequences])
    measured = CausalValidation(windows, tokenizer)(model)
    scores = log_likelihood(model, tokenizer, sequences)
    nats = -sum(score.score for score in scores)
    assert measured["bits_per_base"] == pytest.approx(nats / math.log(2) / (5 * 90), rel=1e-5)
    assert measured["loss"] == pytest.approx(nats / windows.size, rel=1e-5)
