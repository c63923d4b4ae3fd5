"""Beam search against every sequence there is."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from lingome.core.errors import ConfigError
from lingome.generate.beam import beam_search
from lingome.generate.collection import Request, search_many
from lingome.generate.filters import Filters
from lingome.generate.rules import Rules
from lingome.generate.sampling import generate

sys.path.insert(0, str(Path(__file__).parent))
from toys import Toy, enumerate_all, plain_rules

EVERY = torch.ones(4, dtype=torch.bool)
CASES = {
    "fixed length": plain_rules(4, 4),
    "ends": Rules(torch.tensor([0, 1, 1, 1]), EVERY, 4, None, 0, (0,)),
    "ends after 2 bases": Rules(torch.tensor([0, 1, 2, 1]), EVERY, 9, 4, 2, (0,)),
    "tokens of several lengths": Rules(torch.tensor([1, 2, 3, 1]), EVERY, 9, 5),
    "a letter left out": Rules(torch.ones(4, dtype=torch.int64), torch.tensor([True, False, True, True]), 5),
}


@pytest.mark.parametrize("rules", CASES.values(), ids=CASES)
@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0])
def test_a_beam_of_full_width_finds_what_enumeration_finds(rules: Rules, length_penalty: float):
    toy = Toy(4, seed=11)
    every = enumerate_all(toy, [1, 2], rules)
    scores = {tokens: value / len(tokens) ** length_penalty for tokens, value in every.items()}
    (found,) = beam_search(toy, torch.tensor([[1, 2]]), rules, n_beams=len(every), length_penalty=length_penalty)
    assert len(found) == len(every) > 40
    assert {one.tokens for one in found} == set(every)
    # By score, not by name: sequences of the same pairs of tokens in another order are tied.
    assert [scores[one.tokens] for one in found] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-12)
    assert [one.log_likelihood for one in found] == pytest.approx([every[one.tokens] for one in found], abs=1e-12)


def test_one_beam_is_greedy_and_more_find_no_less():
    rules = plain_rules(6, 8)
    for seed in range(8):
        toy = Toy(6, seed=seed)
        (greedy,) = generate(toy, torch.tensor([[1, 2]]), rules)
        ((one,),) = beam_search(toy, torch.tensor([[1, 2]]), rules, n_beams=1)
        assert one == greedy
        best = beam_search(toy, torch.tensor([[1, 2]]), rules, n_beams=36)[0][0]
        assert best.log_likelihood >= greedy.log_likelihood - 1e-6


def test_prompts_do_not_feel_each_other():
    toy, rules = Toy(4, seed=2), CASES["ends"]
    prompts = torch.tensor([[1, 2], [3, 0], [2, 2]])
    together = beam_search(toy, prompts, rules, n_beams=5)
    assert together == [beam_search(toy, prompts[i : i + 1], rules, n_beams=5)[0] for i in range(3)]


def test_filters_leave_out_and_count():
    toy, rules = Toy(4, seed=2), plain_rules(4, 6)

    def decode(tokens: Iterable[int]) -> str:
        return "".join("ACGT"[token] for token in tokens)

    free = search_many(toy, Request([1, 2], 20, rules, decode), n_beams=20)
    strict = search_many(toy, Request([1, 2], 20, rules, decode, Filters(max_run=2)), n_beams=20)
    assert [one.sequence for one in strict.kept] == [
        one.sequence for one in free.kept if Filters(max_run=2).complaint(one.sequence) is None
    ]
    assert strict.n_missing == strict.rejected["max_run"] == 20 - len(strict.kept) > 0


def test_mistakes_are_refused():
    toy, rules = Toy(4), plain_rules(4, 2)
    with pytest.raises(ConfigError, match="beams"):
        search_many(toy, Request([1], 3, rules, str), n_beams=2)
    for wrong in ({"n_beams": 0}, {"n_beams": 2, "length_penalty": -1.0}):
        with pytest.raises(ConfigError):
            beam_search(toy, torch.tensor([[1]]), rules, **wrong)


class Flat(Toy):
    """A model to which all tokens are alike."""

    def step(self, tokens_B: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(super().step(tokens_B))

    def start(self, input_ids_BL: torch.Tensor, attention_mask_BL: torch.Tensor | None = None) -> torch.Tensor:
        return torch.zeros_like(super().start(input_ids_BL, attention_mask_BL))


def test_of_equal_scores_the_lowest_ids_come_first():
    rules = plain_rules(40, 3)
    (greedy,) = generate(Flat(40, seed=1), torch.tensor([[1, 2]]), rules)
    ((one,),) = beam_search(Flat(40, seed=1), torch.tensor([[1, 2]]), rules, n_beams=1)
    assert one.tokens == greedy.tokens == (0, 0, 0)
    (three,) = beam_search(Flat(40, seed=1), torch.tensor([[1, 2]]), rules, n_beams=3)
    assert [found.tokens for found in three] == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]


def test_fewer_sequences_than_beams_are_not_blamed_on_filters():
    rules = Rules(torch.ones(4, dtype=torch.int64), torch.tensor([True, True, False, False]), 1)
    made = search_many(Toy(4, seed=1), Request([1, 2], 3, rules, lambda tokens: "A" * len(tokens)), n_beams=3)
    assert (len(made.kept), made.n_missing, made.why_missing) == (2, 1, "no more fit the rules")
