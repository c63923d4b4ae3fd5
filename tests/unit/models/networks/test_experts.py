"""Routing and grouping of experts, against values worked by hand and a loop over tokens."""

import dataclasses
import math

import torch

from lingome.models.networks.decoder.experts import Mixture
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.presets import build_causal_lm

SHAPE = DecoderConfig(
    hidden_size=4, n_layers=2, n_heads=2, n_kv_heads=1, ffn_size=6, n_experts=3, n_experts_per_token=2,
)


def mixture(config: DecoderConfig = SHAPE) -> Mixture:
    made = Mixture(config).eval()
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return made


def test_shares_of_a_token_by_hand() -> None:
    """Scores ln 4, ln 2, ln 1: the first two experts, with 4/6 and 2/6."""
    made = mixture()
    with torch.no_grad():
        made.router.weight.zero_()
        made.router.weight[:, 0] = torch.tensor([4.0, 2.0, 1.0]).log()
        shares, chosen = made.route(torch.eye(4)[:1])
    torch.testing.assert_close(shares, torch.tensor([[2 / 3, 1 / 3]]))
    assert chosen.tolist() == [[0, 1]]


def test_one_expert_a_token_has_the_whole_share() -> None:
    shares, _ = mixture(dataclasses.replace(SHAPE, n_experts_per_token=1)).route(torch.randn(5, 4))
    assert torch.equal(shares, torch.ones(5, 1))


def test_grouping_equals_a_loop_over_tokens() -> None:
    made = mixture()
    x = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        out = made(x)
        for row in range(2):
            for place in range(7):
                token = x[row, place]
                scores = [math.exp(float(made.router.weight[index] @ token)) for index in range(3)]
                best = sorted(range(3), key=scores.__getitem__)[1:]
                whole = sum(scores[index] for index in best)
                expected = sum(scores[index] / whole * made.experts[index](token[None])[0] for index in best)
                torch.testing.assert_close(out[row, place], expected, atol=1e-5, rtol=1e-5)


def test_in_training_an_idle_expert_has_a_gradient_of_zeros() -> None:
    made = mixture().train()
    with torch.no_grad():
        made.router.weight.zero_()
        made.router.weight[0], made.router.weight[1] = 50.0, 49.0
    made(torch.ones(1, 3, 4)).sum().backward()
    idle = made.experts[2].ffn_in.weight.grad
    assert idle is not None
    assert not idle.any()
    assert made.experts[0].ffn_in.weight.grad.any()


def test_parameters_of_a_mixture() -> None:
    """A layer: 3 experts of 3 x 4 x 6, a router of 3 x 4, q and o of 4 x 4, k and v of 4 x 2, two norms of 4."""
    model = build_causal_lm(dataclasses.replace(SHAPE, vocab_size=9))
    layer = 3 * 72 + 12 + 16 + 16 + 8 + 8 + 8
    assert sum(parameter.numel() for parameter in model.parameters()) == 2 * layer + 9 * 4 + 4
