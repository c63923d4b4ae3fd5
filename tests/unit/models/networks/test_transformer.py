"""The encoder against values worked by hand."""

import dataclasses
import math

import pytest
import torch
import torch.nn.utils.parametrize
from torch import nn

from lingome.core.errors import ConfigError, DataError
from lingome.models.layers.blocks import Rotation, attend
from lingome.models.networks.transformer.model import Transformer
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import build_classifier, build_masked_lm
from lingome.models.registry import initialise

NANO = TransformerConfig(vocab_size=12, hidden_size=32, n_layers=2, n_heads=2, ffn_size=48, max_positions=24)
BERT = dataclasses.replace(NANO, positions="learned", norm="post", ffn="gelu", bias=True, norm_eps=1e-12)
MIX = dataclasses.replace(NANO, positions="learned", norm="pre", ffn="gelu", tie_head=False, dropout=0.1)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 12, (4, 20), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([20, 7, 13, 3])
    mask = torch.arange(20) < lengths[:, None]
    return ids.masked_fill(~mask, 0), mask


def test_attention_of_two_keys_by_hand() -> None:
    """softmax([2, 0] / sqrt(4)) = [e, 1] / (e + 1)."""
    q = torch.tensor([2.0, 0, 0, 0]).view(1, 1, 1, 4)
    k = torch.eye(4)[:2].view(1, 1, 2, 4)
    v = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]]).view(1, 1, 2, 4)
    expected = torch.tensor([math.e / (math.e + 1), 1 / (math.e + 1), 0, 0])
    torch.testing.assert_close(attend(q, k, v, None, 0.0).flatten(), expected)
    hidden = torch.tensor([[[0.0, -1e30]]])
    torch.testing.assert_close(attend(q, k, v, hidden, 0.0).flatten(), torch.tensor([1.0, 0, 0, 0]))


def test_both_ways_of_attention_agree() -> None:
    """The explicit product in bfloat16 equals the fused float32 kernel to bfloat16's three digits."""
    draw = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(2, 2, 9, 8, generator=draw) for _ in range(3))
    bias = torch.zeros(2, 1, 9)
    bias[1, :, 5:] = -1e30
    exact = attend(q, k, v, bias, 0.0)
    rounded = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), bias, 0.0).float()
    torch.testing.assert_close(rounded, exact, atol=0.03, rtol=0.03)


def test_rotation_by_hand_and_relative() -> None:
    """The first pair turns by its position in radians; a product depends on the distance only."""
    config = dataclasses.replace(NANO, hidden_size=8)
    rotation = Rotation.of(10, config.head_size, config.rope_theta, torch.device("cpu"))
    x = torch.tensor([1.0, 0, 0, 0]).expand(1, 10, 1, 4)
    turned = rotation.turn(x)[0, 3, 0]
    torch.testing.assert_close(turned, torch.tensor([math.cos(3), 0, math.sin(3), 0]))
    draw = torch.Generator().manual_seed(2)
    q, k = torch.randn(4, generator=draw).expand(1, 10, 1, 4), torch.randn(4, generator=draw).expand(1, 10, 1, 4)
    products = rotation.turn(q)[0, :, 0] @ rotation.turn(k)[0, :, 0].T
    torch.testing.assert_close(products[1, 4], products[5, 8])
    assert abs(products[1, 4] - products[1, 5]) > 1e-3


@pytest.mark.parametrize("config", [NANO, BERT, MIX], ids=["modernbert", "bert", "mix"])
def test_masked_positions_alone_give_the_same(config: TransformerConfig) -> None:
    """Values and gradients equal those of the whole computation."""
    ids, mask = batch()
    masked = torch.zeros_like(mask)
    masked[0, [0, 5, 19]] = masked[2, 4] = masked[3, 2] = True
    model = build_masked_lm(config, seed=3).eval()
    part = model(ids, mask, masked)
    gradients = torch.autograd.grad(part.square().sum(), list(model.parameters()))
    whole = model(ids, mask)[masked]
    torch.testing.assert_close(part, whole, atol=1e-6, rtol=1e-5)
    for got, expected in zip(gradients, torch.autograd.grad(whole.square().sum(), model.parameters()), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


class LowRank(nn.Module):
    """A linear layer and a term of low rank, as an adapter adds it."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        draw = torch.Generator().manual_seed(2)
        self.down = nn.Parameter(torch.randn(2, layer.in_features, generator=draw))
        self.up = nn.Parameter(torch.randn(layer.out_features, 2, generator=draw))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give what the layer gives, and the term."""
        out: torch.Tensor = self.layer(x) + x @ self.down.T @ self.up.T
        return out


class Added(nn.Module):
    """A matrix that is added to another."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.detach().clone())

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Add it."""
        return weight + self.matrix


@pytest.mark.parametrize("config", [NANO, BERT, dataclasses.replace(NANO, n_heads=4, n_kv_heads=2)])
@pytest.mark.parametrize("how", ["wrapped", "hooked", "parametrised"])
def test_what_stands_in_the_place_of_qkv_is_not_bypassed_at_masked_positions(
    config: TransformerConfig, how: str
) -> None:
    model = build_masked_lm(config, seed=1).eval()
    ids, mask = batch()
    masked = mask & (torch.arange(20) % 3 == 1)
    plain = model.body(ids, mask, masked)
    last = model.body.layers[-1]
    adapted = LowRank(last.qkv)
    if how == "wrapped":
        last.qkv = adapted
    elif how == "hooked":
        last.qkv.register_forward_hook(lambda layer, given, out: out + given[0] @ adapted.down.T @ adapted.up.T)
    else:
        nn.utils.parametrize.register_parametrization(last.qkv, "weight", Added(adapted.up @ adapted.down))
    whole = model.body(ids, mask)
    alone = model.body(ids, mask, masked)
    torch.testing.assert_close(alone, whole[masked], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(alone, plain, atol=1e-2)
    alone.sum().backward()
    if how == "wrapped":
        assert adapted.up.grad is not None
        assert bool(adapted.up.grad.abs().sum() > 0)


def test_no_masked_position() -> None:
    ids, mask = batch()
    assert build_masked_lm(NANO)(ids, mask, torch.zeros_like(mask)).shape == (0, 12)


@pytest.mark.parametrize("config", [NANO, BERT], ids=["modernbert", "bert"])
def test_gradients_against_float64(config: TransformerConfig) -> None:
    """The same loss in double precision gives the same gradients to single precision."""
    ids, mask = batch()

    def gradients(dtype: torch.dtype) -> list[torch.Tensor]:
        model = build_masked_lm(config, seed=4).to(dtype)
        loss = torch.nn.functional.cross_entropy(model(ids, mask, mask), ids[mask])
        return [gradient.double() for gradient in torch.autograd.grad(loss, list(model.parameters()))]

    for got, expected in zip(gradients(torch.float32), gradients(torch.float64), strict=True):
        torch.testing.assert_close(got, expected, atol=2e-6, rtol=1e-4)


def test_hidden_states_of_every_layer() -> None:
    ids, mask = batch()
    body = build_masked_lm(NANO).body.eval()
    states = body.hidden_states(ids, mask)
    assert [tuple(state.shape) for state in states] == [(4, 20, 32)] * 3
    assert torch.equal(states[-1], body(ids, mask))


def test_a_row_of_padding_alone_stays_finite() -> None:
    ids, mask = batch()
    mask[1] = False
    assert build_masked_lm(NANO)(ids, mask).isfinite().all()


def test_too_long_a_sequence() -> None:
    with pytest.raises(DataError, match="25 tokens"):
        build_masked_lm(NANO)(torch.ones(1, 25, dtype=torch.long))


def test_classifier_pools_real_tokens_by_hand() -> None:
    """[CLS] 5 6 [SEP] [PAD]: the mean of the states of 5 and 6; nothing left gives zeros."""
    model = build_classifier(NANO, label_names=("no", "yes"))
    ids = torch.tensor([[2, 5, 6, 3, 0], [2, 3, 0, 0, 0]])
    hidden = torch.arange(10.0).view(2, 5, 1).expand(2, 5, 32)
    pooled = model.pool(hidden, ids, ids != 0)
    assert pooled[:, 0].tolist() == [1.5, 0.0]
    assert model(ids, ids != 0).shape == (2, 2)


def test_classifier_needs_two_classes() -> None:
    with pytest.raises(ConfigError, match="label_names"):
        build_classifier(NANO, label_names=("only",))


def test_dropout_works_in_training_only() -> None:
    ids, mask = batch()
    model = build_masked_lm(dataclasses.replace(NANO, dropout=0.5))
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(ids, mask), model(ids, mask))
    model.eval()
    assert torch.equal(model(ids, mask), model(ids, mask))


def test_initialisation_follows_its_table() -> None:
    config = dataclasses.replace(BERT, hidden_size=128, n_heads=2, ffn_size=256, norm="pre", n_layers=2)
    body = Transformer(config)
    initialise(body, seed=0)
    layer = body.layers[1]
    inner, outer = layer.qkv.weight, layer.ffn_out.weight
    # A normal cut at two standard deviations keeps 0.8796 of its spread.
    assert inner.std().item() == pytest.approx(0.02 * 0.8796, rel=0.02)
    assert outer.std().item() == pytest.approx(0.02 * 0.8796 / 2, rel=0.02)
    assert inner.abs().max() <= 0.04
    assert layer.qkv.bias.abs().max() == 0
    assert torch.equal(layer.ffn_norm.weight, torch.ones(128))
