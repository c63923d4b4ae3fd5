"""Whole sequences on models that can be enumerated."""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from scipy.stats import chisquare

from lingome.core.errors import ConfigError, DataError
from lingome.generate.collection import Request, sample_many, search_many
from lingome.generate.draws import Draws
from lingome.generate.filters import Filters
from lingome.generate.logits import Sampling
from lingome.generate.rules import Rules, rules_for
from lingome.generate.sampling import Generated, generate, stream
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer

sys.path.insert(0, str(Path(__file__).parent))
from toys import Toy, enumerate_all, plain_rules

PROMPT = torch.tensor([[1, 2]])


def drawn(model: Toy, rules: Rules, rows: int, seed: int = 0, **more: object) -> list[Generated]:
    return generate(model, PROMPT.expand(rows, -1), rules, draws=Draws(seed, [(i,) for i in range(rows)]), **more)


def test_whole_sequences_follow_the_joint_distribution():
    """Chi-square of 20,000 sequences of 3 tokens against all 27 worked out from the table."""
    toy, rules = Toy(3, seed=1), plain_rules(3, 3)
    expected = enumerate_all(toy, [1, 2], rules)
    assert math.isclose(sum(map(math.exp, expected.values())), 1, rel_tol=1e-9)
    counts = Counter(one.tokens for one in drawn(toy, rules, 20_000))
    observed = [counts[tokens] for tokens in expected]
    assert sum(observed) == 20_000
    assert chisquare(observed, [20_000 * math.exp(value) for value in expected.values()]).pvalue > 1e-3


def test_ends_and_masks_follow_the_distribution_that_is_left():
    """One token ends a sequence, one may not be written; what is left at each step is renormalised."""
    toy = Toy(4, seed=5, scale=0.7)
    rules = Rules(torch.tensor([0, 1, 2, 1]), torch.tensor([True, True, True, False]), 9, 3, 1, (0,))
    expected: dict[tuple[int, ...], float] = {}

    def extend(tokens: tuple[int, ...], total: float) -> None:
        n_bases = sum((0, 1, 2)[token] for token in tokens)
        before = [1, 2, *tokens][-2:]
        choices = [t for t in (0, 1, 2) if n_bases + t <= 3 and (t or n_bases)]
        logits = toy.table[before[0], before[1]].double()[choices].softmax(dim=0).tolist()
        for token, probability in zip(choices, logits, strict=True):
            new = (*tokens, token)
            if token == 0 or n_bases + token == 3:
                expected[new] = total * probability
            else:
                extend(new, total * probability)

    extend((), 1.0)
    assert set(expected) == set(enumerate_all(toy, [1, 2], rules))
    counts = Counter(one.tokens for one in drawn(toy, rules, 20_000))
    assert set(counts) <= set(expected)
    assert chisquare([counts[key] for key in expected], [20_000 * p for p in expected.values()]).pvalue > 1e-3


def test_log_likelihood_is_the_models_own():
    """Whatever the temperature, masks and cuts: the sum of log-probabilities in the table's own distribution."""
    toy = Toy(5, seed=2)
    rules = Rules(torch.ones(5, dtype=torch.int64), torch.tensor([True, True, False, True, True]), 6)
    for one in drawn(toy, rules, 8, sampling=Sampling(temperature=0.6, top_k=3, top_p=0.9)):
        tokens, total = [1, 2, *one.tokens], 0.0
        assert 2 not in one.tokens
        for place in range(2, len(tokens)):
            own = toy.table[tokens[place - 2], tokens[place - 1]].double().log_softmax(dim=0)
            total += float(own[tokens[place]])
        assert one.log_likelihood == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("sampling", [Sampling(top_k=1), Sampling(temperature=0), Sampling(temperature=1e-4)])
def test_the_limits_of_sampling_are_greedy(sampling: Sampling):
    toy, rules = Toy(6, seed=3), plain_rules(6, 12)
    (greedy,) = generate(toy, PROMPT, rules)
    assert {one.tokens for one in drawn(toy, rules, 20, sampling=sampling)} == {greedy.tokens}
    assert search_many(toy, Request([1, 2], 1, rules, str), n_beams=1).kept[0].generated.tokens == greedy.tokens
    assert len({one.tokens for one in drawn(toy, rules, 20)}) > 10


def test_a_sequence_depends_neither_on_its_batch_nor_on_its_neighbours_nor_on_how_many():
    toy, rules = Toy(5, seed=4), plain_rules(5, 30, end_ids=(0,))
    several = [sample_many(toy, Request([1, 2], 11, rules, str), seed=7, batch_size=size).kept for size in (1, 4, 16)]
    assert several[0] == several[1] == several[2]
    assert sample_many(toy, Request([1, 2], 3, rules, str), seed=7).kept == several[0][:3]
    assert sample_many(toy, Request([1, 2], 11, rules, str), seed=8).kept != several[0]
    assert len({len(kept.generated.tokens) for kept in several[0]}) > 3  # rows leave the batch at different steps


def test_draws_do_not_depend_on_how_many_are_asked_for():
    both, alone = Draws(0, [(0,), (1,)]), Draws(0, [(1,)])
    numbers = [(float(both.next()[1]), float(alone.next()[0])) for _ in range(600)]
    assert all(one == other for one, other in numbers)
    assert len({one for one, _ in numbers}) == 600


def test_prompts_of_several_lengths_are_padded_on_the_left():
    toy, rules = Toy(5, seed=6), plain_rules(5, 8)
    ids = torch.tensor([[3, 1, 2], [4, 4, 2]])
    mask = torch.tensor([[True, True, True], [False, False, True]])
    together = generate(toy, ids, rules, attention_mask_BL=mask)
    assert together[0] == generate(toy, ids[:1], rules)[0]
    assert together[1] == generate(toy, torch.tensor([[2]]), rules)[0]


def test_every_token_is_streamed_in_order():
    toy, heard = Toy(4, seed=1), {}
    rules = plain_rules(4, 20, end_ids=(3,))
    kept = sample_many(
        toy, Request([1, 2], 5, rules, str), seed=0, batch_size=2,
        on_token=lambda index, token: heard.setdefault(index, []).append(token),
    ).kept
    assert {one.index: list(one.generated.tokens) for one in kept} == heard


def test_tokens_come_before_the_next_ones_are_computed():
    """Rows take turns; when a token arrives, the model was asked for it and for nothing after it."""
    toy, rules = Toy(4, seed=1), plain_rules(4, 6, end_ids=(3,))
    asked = []
    step = toy.step
    toy.step = lambda tokens_B: asked.append(len(tokens_B)) or step(tokens_B)
    rows: dict[int, list[int]] = {0: [], 1: []}
    stops = {}
    for one in stream(toy, PROMPT.expand(2, -1), rules, draws=Draws(0, [(0,), (1,)])):
        rows[one.row].append(one.token)
        assert len(asked) == len(rows[one.row]) - 1
        if one.stop is not None:
            stops[one.row] = one.stop
    whole = drawn(Toy(4, seed=1), rules, 2)
    assert [(tuple(rows[row]), stops[row]) for row in rows] == [(one.tokens, one.stop) for one in whole]


def test_reasons_to_stop():
    toy = Toy(4, seed=1)
    two = torch.tensor([0, 2, 2, 2])
    every = torch.ones(4, dtype=torch.bool)
    no_end = torch.tensor([False, True, True, True])
    assert {one.stop for one in drawn(toy, Rules(two, no_end, 3), 4)} == {"tokens"}
    assert {one.stop for one in drawn(toy, Rules(two, no_end, 9, 4), 4)} == {"bases"}
    stuck = drawn(toy, Rules(two, no_end, 9, 5), 4)
    assert {(one.stop, len(one.tokens), len(one.log_probs)) for one in stuck} == {("no token fits", 2, 2)}
    assert {one.stop for one in drawn(toy, Rules(two, every, 50, None, 0, (0,)), 4)} == {"end token"}
    assert all(sum(two[list(one.tokens)]) >= 6 for one in drawn(toy, Rules(two, every, 50, None, 6, (0,)), 50))


@pytest.mark.parametrize("tokenizer", [
    CharacterTokenizer(), KmerTokenizer(6, overlap=False), BpeTokenizer([(8, 8), (5, 9), (10, 10)]),
], ids=["characters", "6-mers", "bpe"])
@pytest.mark.parametrize("letters", [None, "AT"])
def test_sequences_have_exactly_the_length_and_letters_asked_for(tokenizer, letters: str | None):
    rules = rules_for(tokenizer, max_bases=50, letters=letters)

    class Flat:
        def start(self, ids, mask=None):
            self.rows = len(ids)
            return torch.zeros(self.rows, tokenizer.vocab_size)

        def step(self, tokens):
            return torch.zeros(len(tokens), tokenizer.vocab_size)

        def reorder(self, index):
            pass

    found = sample_many(Flat(), Request([tokenizer.cls_id], 10, rules, tokenizer.decode), seed=0).kept
    assert {len(one.sequence) for one in found} == {50}
    assert set("".join(one.sequence for one in found)) == set(letters or "ACGT")


def test_rules_of_a_tokenizer_refuse_what_cannot_be_written():
    with pytest.raises(ConfigError, match="overlapping"):
        rules_for(KmerTokenizer(3), max_bases=9)
    with pytest.raises(ConfigError, match="not in the model's alphabet"):
        rules_for(CharacterTokenizer(), max_bases=9, letters="ACGU")
    with pytest.raises(ConfigError, match="shortest"):
        rules_for(CharacterTokenizer(), max_bases=9, min_bases=10)
    ending = rules_for(CharacterTokenizer(), max_bases=9, min_bases=4)
    assert ending.fitting(torch.tensor([3, 4]))[:, 3].tolist() == [False, True]
    assert not rules_for(CharacterTokenizer(), max_bases=9).allowed_V[:5].any()


def test_rejected_sequences_are_drawn_again_a_bounded_number_of_times():
    toy, rules = Toy(4, seed=1, scale=0.3), plain_rules(4, 30)

    def decode(tokens):
        return "".join("ACGT"[token] for token in tokens)

    free = sample_many(toy, Request([1, 2], 40, rules, decode), seed=0)
    strict = sample_many(toy, Request([1, 2], 40, rules, decode, Filters(max_run=2)), seed=0, attempts=3)
    assert 0 < strict.n_missing < 40
    assert len(strict.kept) + strict.n_missing == 40
    assert strict.n_drawn == len(strict.kept) + strict.rejected.total() <= 120
    assert all(Filters(max_run=2).complaint(one.sequence) is None for one in strict.kept)
    first = {one.index: one.sequence for one in strict.kept if one.attempt == 0}
    assert first == {one.index: one.sequence for one in free.kept if one.index in first}
    assert any(one.attempt > 0 for one in strict.kept)


def test_scores_that_are_not_numbers_are_refused():
    toy = Toy(3)
    toy.table[:] = math.nan
    with pytest.raises(DataError, match="not numbers"):
        generate(toy, PROMPT, plain_rules(3, 2))
