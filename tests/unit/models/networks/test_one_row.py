"""Compiled steps of one row against the model itself."""

import dataclasses

import pytest
import torch

from lingome.models.networks.decoder.model import CausalLM, KvCache, store_for_steps
from lingome.models.networks.decoder.one_row import OneRow
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.decoder.step_layout import lay_out_rows
from lingome.models.presets import build_causal_lm

LLAMA = DecoderConfig(hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=2, ffn_size=48, max_positions=40)
SHAPES = {
    "llama": LLAMA,
    "gpt2": dataclasses.replace(LLAMA, n_kv_heads=4, positions="learned", norm="layer", ffn="gelu_tanh", bias=True,
                                tie_head=False),
    "window, wide heads, biases": dataclasses.replace(LLAMA, window=7, head_dim=12, bias=True),
}
IDS = torch.randint(5, 9, (1, 30), generator=torch.Generator().manual_seed(0))


def build(config: DecoderConfig) -> CausalLM:
    model = build_causal_lm(config, seed=1).eval()
    assert isinstance(model, CausalLM)
    with torch.no_grad():
        for draw, parameter in enumerate(model.parameters()):  # biases and scales that are not 0 and 1
            parameter.mul_(4).add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(draw)))
    return model


def filled(model: CausalLM, n_rows: int = 1, **kind: torch.dtype) -> KvCache:
    cache = KvCache(model.config, n_rows, 30, **kind)
    with torch.no_grad():
        model(IDS[:, :10].expand(n_rows, -1), None, cache)
    return cache


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_same_logits_and_cache_as_the_model(name: str, packed: bool) -> None:
    model = build(SHAPES[name])
    with torch.no_grad():
        expected = model(IDS)[0]
    if packed:
        lay_out_rows(model, 5)
    cache = filled(model)
    assert OneRow.fits(model, cache)
    one_row = OneRow(model, cache)
    steps = torch.cat([one_row.step(token) for token in IDS[0, 10:].tolist()])
    assert (steps - expected[10:]).abs().max() < 1e-5 * expected.abs().max()
    assert cache.length == 30
    whole = KvCache(model.config, 1, 30)
    with torch.no_grad():
        model(IDS, None, whole)
    assert torch.allclose(cache.keys_BGTK[-1], whole.keys_BGTK[-1], rtol=1e-4, atol=1e-4)
    assert torch.allclose(cache.values_BGTK[-1], whole.values_BGTK[-1], rtol=1e-4, atol=1e-4)


def test_what_is_not_a_number_comes_through() -> None:
    model = build(LLAMA)
    cache = filled(model)
    model.body.layers[0].ffn_out.weight.data[0, 0] = torch.nan
    assert bool(OneRow(model, cache).step(5).isnan().all())


def test_what_does_not_fit() -> None:
    model = build(LLAMA)
    assert not OneRow.fits(model, filled(model, 2))
    assert not OneRow.fits(model, KvCache(model.config, 1, 30, dtype=torch.bfloat16))
    padded = KvCache(model.config, 1, 30)
    with torch.no_grad():
        model(IDS[:, :4], torch.tensor([[False, True, True, True]]), padded)
    assert not OneRow.fits(model, padded)
    experts = build(dataclasses.replace(LLAMA, n_experts=3))
    assert not OneRow.fits(experts, filled(experts))
    cache = filled(model)
    assert OneRow.fits(model, cache)
    assert not OneRow.fits(store_for_steps(model), cache)
