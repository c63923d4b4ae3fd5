"""Each step of a sampler against sets worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import chisquare

from lingome.core.errors import ConfigError
from lingome.generate.logits import (
    Sampling,
    allow_only,
    greedy_tokens,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    sample_tokens,
    scale_temperature,
    shape_logits,
)

PROBABILITIES = torch.tensor([[0.1, 0.4, 0.05, 0.25, 0.2]])
LOGITS = PROBABILITIES.log()


def kept(logits: torch.Tensor) -> list[int]:
    return torch.nonzero(logits[0] > -math.inf)[:, 0].tolist()


@pytest.mark.parametrize(("p", "tokens"), [
    (0.01, [1]), (0.39, [1]), (0.41, [1, 3]), (0.64, [1, 3]), (0.66, [1, 3, 4]), (0.84, [1, 3, 4]),
    (0.86, [0, 1, 3, 4]), (0.96, [0, 1, 2, 3, 4]), (1.0, [0, 1, 2, 3, 4]),
])
def test_top_p_keeps_the_fewest_that_reach_p(p: float, tokens: list[int]):
    """Sorted .4 .25 .2 .1 .05: sums .4 .65 .85 .95 1."""
    assert kept(keep_top_p(LOGITS, p)) == tokens


@pytest.mark.parametrize("spread", [0.0, 0.5, 6.0])
@pytest.mark.parametrize("p", [0.3, 0.9, 0.999])
def test_top_p_of_a_large_vocabulary_is_that_of_a_full_sort(spread: float, p: float):
    """Rows that are flat, tied and peaked, side by side."""
    draw = torch.Generator().manual_seed(0)
    logits = (torch.randn(4, 2000, generator=draw, dtype=torch.float64) * spread).round(decimals=1)
    logits[0] *= 4
    probs, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    inside = probs.cumsum(dim=-1) - probs < p
    expected = torch.zeros_like(inside).scatter(-1, order, inside)
    assert torch.equal(keep_top_p(logits, p).isfinite(), expected)


@pytest.mark.parametrize(("p", "tokens"), [
    (0.0, [0, 1, 2, 3, 4]), (0.12, [0, 1, 2, 3, 4]), (0.13, [0, 1, 3, 4]), (0.26, [1, 3, 4]), (0.51, [1, 3]),
    (0.63, [1]), (1.0, [1]),
])
def test_min_p_keeps_a_share_of_the_likeliest(p: float, tokens: list[int]):
    """Shares of the likeliest: .25 1 .125 .625 .5."""
    assert kept(keep_min_p(LOGITS, p)) == tokens


def test_top_k_keeps_k_also_where_they_are_tied():
    assert kept(keep_top_k(LOGITS, 2)) == [1, 3]
    assert kept(keep_top_k(LOGITS, 9)) == [0, 1, 2, 3, 4]
    tied = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0]])
    assert kept(keep_top_k(tied, 2)) == [1, 2]
    assert kept(keep_top_k(tied, 1)) == [int(greedy_tokens(tied))]


def test_steps_apply_in_order_and_leave_the_input_alone():
    """At temperature .5 probabilities are squared: .01 .16 .0025 .0625 .04 over .275; top-p .8 keeps .58 + .23."""
    before = LOGITS.clone()
    assert kept(shape_logits(LOGITS, Sampling(temperature=0.5, top_p=0.8))) == [1, 3]
    assert kept(shape_logits(LOGITS, Sampling(temperature=1.0, top_p=0.8))) == [1, 3, 4]
    assert kept(shape_logits(LOGITS, Sampling(top_k=3, top_p=0.75))) == [1, 3]  # .4 .25 .2 over .85: .47 .76
    assert kept(shape_logits(LOGITS, Sampling(temperature=2.0, min_p=0.6))) == [1, 3, 4]  # roots: .5 1 .35 .79 .71
    assert torch.equal(LOGITS, before)
    assert torch.equal(shape_logits(LOGITS, Sampling()), LOGITS)
    assert kept(allow_only(LOGITS, torch.tensor([True, False, True, False, False]))) == [0, 2]


def test_each_row_is_its_own():
    rows = torch.cat([LOGITS, LOGITS.flip(1)])
    for sampling in (Sampling(top_k=2), Sampling(top_p=0.7), Sampling(min_p=0.3), Sampling(temperature=0.0)):
        both = shape_logits(rows, sampling)
        assert torch.equal(both[0], shape_logits(LOGITS, sampling)[0])
        assert torch.equal(both[1], shape_logits(LOGITS, sampling).flip(1)[0])


@pytest.mark.parametrize("sampling", [
    Sampling(), Sampling(temperature=0.7), Sampling(top_k=3), Sampling(top_p=0.8), Sampling(min_p=0.2),
    Sampling(temperature=1.5, top_k=4, top_p=0.9, min_p=0.1),
])
def test_draws_follow_the_distribution(sampling: Sampling):
    """Chi-square of 20,000 draws against probabilities worked out in float64; p above 1e-3 with this seed."""
    shaped = shape_logits(LOGITS, sampling)
    expected = shaped.double().softmax(dim=-1)[0]
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    counts = torch.bincount(sample_tokens(shaped.expand(20_000, -1), uniform), minlength=5)
    assert counts[expected == 0].sum() == 0
    some = expected > 0
    assert chisquare(counts[some].numpy(), 20_000 * expected[some].numpy()).pvalue > 1e-3


def test_a_wrong_distribution_would_be_noticed():
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    counts = torch.bincount(sample_tokens(scale_temperature(LOGITS, 0.9).expand(20_000, -1), uniform), minlength=5)
    assert chisquare(counts.numpy(), 20_000 * LOGITS.double().softmax(dim=-1)[0].numpy()).pvalue < 1e-3


def test_the_ends_of_the_unit_interval_draw_tokens_that_may_be_drawn():
    shaped = keep_top_k(LOGITS, 2)
    last = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert sample_tokens(shaped.expand(2, -1), last).tolist() == [1, 3]


@pytest.mark.parametrize("limits", [
    {"temperature": -1.0}, {"temperature": math.inf}, {"temperature": math.nan}, {"top_k": 0}, {"top_p": 0.0},
    {"top_p": 1.1}, {"min_p": -0.1}, {"min_p": 2.0},
])
def test_values_out_of_range_are_refused(limits: dict[str, float]):
    with pytest.raises(ConfigError):
        Sampling(**limits)


def test_a_temperature_near_nothing_is_greedy_and_keeps_the_mask():
    logits = allow_only(torch.tensor([[3.0, 9.0, 8.0, 1.0]]).double(), torch.tensor([True, False, True, True]))
    for temperature in (1e-3, 1e-100, 5e-324):
        shaped = shape_logits(logits, Sampling(temperature=temperature, top_p=0.9))
        assert sample_tokens(shaped, torch.tensor([0.999]).double()).item() == 2
