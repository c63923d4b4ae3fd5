"""Packed matrices give the same numbers, and leave the model as it is."""

import copy

import pytest
import torch

from lingome.models.layers.packed_linear import PackedLinear, can_pack
from lingome.models.networks.decoder.model import KvCache
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.decoder.step_layout import lay_out_for_steps, lay_out_rows
from lingome.models.presets import build_causal_lm

SHAPE = DecoderConfig(hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=2, ffn_size=48, n_experts=3)
pytestmark = pytest.mark.skipif(not can_pack(torch.float32), reason="this build of torch has no oneDNN")


@pytest.mark.parametrize("n_experts", [0, 3])
def test_same_logits_with_and_without_a_cache(n_experts: int) -> None:
    ids = torch.randint(5, 9, (5, 20), generator=torch.Generator().manual_seed(0))
    model = build_causal_lm(DecoderConfig(hidden_size=32, ffn_size=48, n_experts=n_experts), seed=1).eval()
    with torch.no_grad():
        expected = model(ids)
        names = list(model.state_dict())
        lay_out_rows(model, 5)
        cache = KvCache(model.config, 5, 20)
        steps = [model(part, None, cache) for part in ids.split([12, 1, 1, 6], 1)]
        assert (model(ids) - expected).abs().max() < 1e-5
    assert (torch.cat(steps, 1) - expected).abs().max() < 1e-5
    assert list(model.state_dict()) == names
    assert type(model.head) is PackedLinear
    assert model.head.weight is model.body.tokens.weight


def test_gradients_and_bfloat16_go_past_the_packed_copy() -> None:
    ids = torch.randint(5, 9, (2, 6), generator=torch.Generator().manual_seed(0))
    model, plain = (build_causal_lm(SHAPE, seed=1) for _ in range(2))
    lay_out_rows(model, 2)(ids).sum().backward()
    plain(ids).sum().backward()
    assert torch.equal(model.body.layers[0].qkv.weight.grad, plain.body.layers[0].qkv.weight.grad)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(ids), plain(ids))


def test_one_row_is_not_packed() -> None:
    assert type(lay_out_for_steps(build_causal_lm(SHAPE), 1).head) is torch.nn.Linear
    assert type(lay_out_for_steps(build_causal_lm(SHAPE), 4).head) is PackedLinear


def test_a_packed_layer_can_be_copied_and_given_other_weights() -> None:
    layer, other = torch.nn.Linear(8, 6), torch.nn.Linear(8, 6)
    packed, x = PackedLinear(layer, torch.float32, 2), torch.randn(3, 8)
    with torch.no_grad():
        copied = copy.deepcopy(packed)
        copied.load_state_dict(other.state_dict())
        assert (packed(x) - layer(x)).abs().max() < 1e-6
        assert (copied(x) - other(x)).abs().max() < 1e-6
