"""N-gram models of tokens: numbers worked by hand, a slow reference, and probabilities that add up to one."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from lingome.evaluate.vocabulary.token_ngrams import NgramModel, Words


def test_words_cross_no_gap() -> None:
    words = Words.of(np.array([1, 2, -1, 0, 1, 2]), 1, 3)
    assert words.ends.tolist() == [1, 4, 5]
    assert words.contexts.tolist() == [1, 0, 1]
    assert words.words.tolist() == [1 * 3 + 2, 0 * 3 + 1, 1 * 3 + 2]
    assert len(Words.of(np.array([1]), 2, 3).ends) == 0


def test_order_0_is_what_one_works_out_by_hand() -> None:
    model = NgramModel(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1]), 4, highest=0)
    d, s = model.smoothing[0]
    # Three of the first token, one of the second, two kinds, four tokens in all, a quarter each below them.
    first, never = (3 - d + (s + 2 * d) / 4) / (4 + s), ((s + 2 * d) / 4) / (4 + s)
    assert model.bits(np.array([0, -1, 3])) == pytest.approx([-np.log2(first), 0, -np.log2(never)])


def _reference(train: list[int], model: NgramModel, context: tuple[int, ...], token: int) -> float:
    """Compute p by the formula, from dictionaries."""
    chance = 1 / model.n_words
    for m in range(min(model.order, len(context)) + 1):
        seen: dict[tuple[int, ...], Counter] = defaultdict(Counter)
        for i in range(m, len(train)):
            if all(t >= 0 for t in train[i - m : i + 1]):
                seen[tuple(train[i - m : i])][train[i]] += 1
        d, s = model.smoothing[m]
        after = seen[tuple(context[len(context) - m :])]
        chance = (max(after[token] - d, 0) + (s + d * len(after)) * chance) / (sum(after.values()) + s)
    return chance


def test_equals_a_slow_reference_and_adds_up_to_one() -> None:
    rng = np.random.default_rng(3)
    train = np.where(rng.random(400) < 0.03, -1, (np.arange(400) * rng.integers(1, 3, 400)) % 5)
    valid = (np.arange(200) * rng.integers(1, 3, 200)) % 5
    model = NgramModel(train, valid, 5)
    assert model.order >= 1
    ids = np.array([2, 3, -1, 4, 0, 1, 1, 2, 4, 4])
    bits = model.bits(ids)
    for i, token in enumerate(ids.tolist()):
        if token < 0:
            assert bits[i] == 0
            continue
        start = max([-1, *(j for j in range(i) if ids[j] < 0)]) + 1
        context = tuple(ids[max(start, i - 3) : i].tolist())
        assert 2 ** -bits[i] == pytest.approx(_reference(train.tolist(), model, context, token))
    context = [1, 2, 0]
    total = sum(2 ** -model.bits(np.array([*context, token]))[-1] for token in range(5))
    assert total == pytest.approx(1)


def test_noise_costs_what_chance_costs_and_a_rule_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = NgramModel(rng.integers(0, 4, 4000), rng.integers(0, 4, 1000), 4)
    assert noise.bits(rng.integers(0, 4, 5000)).mean() == pytest.approx(2, abs=0.01)
    cycle = np.tile([0, 0, 1, 1], 500)  # two tokens back decide what follows
    model = NgramModel(cycle, cycle, 2)
    assert model.order >= 2
    assert model.bits(cycle)[10:].max() < 0.05
