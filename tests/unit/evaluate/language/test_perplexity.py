"""Perplexity and bits per base by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lingome.core.errors import DataError
from lingome.evaluate.language.perplexity import (
    causal_perplexity,
    compare_language,
    hide_tokens,
    markov_score,
    masked_perplexity,
    unigram_score,
)
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.tokens.kmers import KmerTokenizer


def _windows(n: int = 30, seed: int = 0) -> list[str]:
    letters = np.random.default_rng(seed).choice(4, (n, 120), p=[0.4, 0.3, 0.2, 0.1])
    return ["".join("ACGT"[code] for code in row) for row in letters]


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary() -> None:
    tokenizer = KmerTokenizer(2, overlap=False)
    model = build_masked_lm("nano", tokenizer.vocab_size)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.zero_()
    score = masked_perplexity(model, tokenizer, _windows())
    assert score.perplexity == pytest.approx(tokenizer.vocab_size, rel=1e-4)
    assert score.n_bases == 2 * score.n_tokens
    # log2(V) bits for two bases
    assert score.bits_per_base == pytest.approx(np.log2(tokenizer.vocab_size) / 2, rel=1e-4)


def test_a_uniform_causal_model_has_the_perplexity_of_its_vocabulary() -> None:
    tokenizer = KmerTokenizer(2, overlap=False)
    model = build_causal_lm("gpt-mini", tokenizer.vocab_size)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.zero_()
    windows = [*_windows(3), "ACGN" * 3]
    score = causal_perplexity(model, tokenizer, windows)
    # 60 words of each window; AC and G, three times each, of the last, whose N is not guessed
    assert (score.n_tokens, score.n_bases) == (186, 369)
    assert score.perplexity == pytest.approx(tokenizer.vocab_size, rel=1e-4)
    model_row, unigram, markov = compare_language(model, tokenizer, _windows(20, 1), windows)
    assert model_row._replace(name="model") == score
    assert unigram.n_bases == markov.n_bases == 369


def test_result_does_not_depend_on_the_batch() -> None:
    tokenizer = KmerTokenizer(3, overlap=False)
    model = build_masked_lm("nano", tokenizer.vocab_size)
    windows = [window[: 40 + 2 * index] for index, window in enumerate(_windows())]
    small, big = (masked_perplexity(model, tokenizer, windows, batch_tokens=size) for size in (30, 10_000))
    assert small.loss == pytest.approx(big.loss, rel=1e-5)
    assert small.n_tokens == big.n_tokens


def test_unigram_by_hand() -> None:
    tokenizer = KmerTokenizer(1, overlap=False)
    shown = hide_tokens(tokenizer, ["ACGT" * 10], rate=0.5)
    score = unigram_score(tokenizer, ["A" * 13 + "C"], shown)
    # one added to each of the letters the vocabulary has: p(A) = 14 / (14 + V - 5), ...
    total = 14 + tokenizer.vocab_size - 5
    p = {"A": 14 / total, "C": 2 / total, "G": 1 / total, "T": 1 / total}
    expected = np.mean([-np.log(p[tokenizer.vocab[i]]) for i in shown.targets])
    assert score.loss == pytest.approx(expected)
    assert score.bits_per_base == pytest.approx(expected / np.log(2))


def test_baselines_stand_beside_the_model_on_the_same_tokens() -> None:
    tokenizer = KmerTokenizer(2, overlap=False)
    model = build_masked_lm("nano", tokenizer.vocab_size)
    scores = compare_language(model, tokenizer, _windows(400, 1), _windows())
    assert {score.n_tokens for score in scores} == {scores[0].n_tokens}
    assert {score.n_bases for score in scores} == {scores[0].n_bases}
    # the entropy of the source is 1.846 bits per base
    assert scores[1].bits_per_base == pytest.approx(1.846, abs=0.08)
    assert scores[2].bits_per_base == pytest.approx(1.846, abs=0.08)
    assert scores[0].bits_per_base > 1.9


def test_unknown_letters_are_never_hidden() -> None:
    tokenizer = KmerTokenizer(1, overlap=False)
    shown = hide_tokens(tokenizer, ["NNNNACGT" * 20], rate=0.9)
    assert (shown.targets != tokenizer.unk_id).all()
    with pytest.raises(DataError, match="no token to hide"):
        hide_tokens(tokenizer, ["NNNN"])
    assert markov_score(["ACGT" * 50], ["NNNNACGT" * 20], shown).n_bases == len(shown.targets)
