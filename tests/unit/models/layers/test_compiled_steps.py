"""Compiled attention of one token against torch's, and when the model takes it."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from lingome.models.layers.compiled_steps import attend_step, fits_compiled_step
from lingome.models.networks.decoder import model as decoder
from lingome.models.networks.decoder.model import CausalLM, KvCache
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.presets import build_causal_lm

CONFIG = DecoderConfig(hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=2, ffn_size=48, max_positions=40)
IDS = torch.randint(5, 9, (3, 20), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("heads", "first", "end"), [(6, 0, 1), (6, 0, 11), (2, 3, 30), (1, 29, 30)])
def test_equals_torch(heads: int, first: int, end: int) -> None:
    draw = torch.Generator().manual_seed(1)
    q_BHK, keys, values = (torch.randn(shape, generator=draw) for shape in ((5, 6, 8), *((5, heads, 30, 8),) * 2))
    seen = [store[:, :, first:end].repeat_interleave(6 // heads, dim=1) for store in (keys, values)]
    expected = F.scaled_dot_product_attention(q_BHK[:, :, None], *seen)[:, :, 0]
    with torch.no_grad():
        assert fits_compiled_step(q_BHK, keys)
        assert torch.allclose(attend_step(q_BHK, keys, values, first, end), expected, atol=1e-6)


def test_what_does_not_fit() -> None:
    q, keys = torch.zeros(2, 4, 8), torch.zeros(2, 4, 9, 8)
    assert not fits_compiled_step(q, keys)  # gradients may be asked for
    with torch.no_grad():
        assert not fits_compiled_step(q.bfloat16(), keys)
        assert not fits_compiled_step(q, keys.bfloat16())
        assert not fits_compiled_step(q, keys.transpose(1, 2))


@pytest.mark.parametrize("window", [0, 5])
def test_steps_of_a_batch_take_it_and_stay_the_model(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_causal_lm(dataclasses.replace(CONFIG, window=window), seed=1).eval()
    assert isinstance(model, CausalLM)
    calls = []
    monkeypatch.setattr(decoder, "attend_step", lambda *given: (calls.append(given[3:]), attend_step(*given))[1])
    with torch.no_grad():
        expected = model(IDS)
        cache = KvCache(model.config, 3, 20)
        model.last_logits(IDS[:, :8], None, cache)
        got = [model.last_logits(IDS[:, place : place + 1], None, cache) for place in range(8, 20)]
    assert (torch.stack(got, dim=1) - expected[:, 8:]).abs().max() < 1e-5
    assert calls[-1] == (20 - window if window else 0, 20)
    assert len(calls) == 2 * 12
    padded = torch.arange(8) >= torch.tensor([[0], [3], [1]])
    calls.clear()
    with torch.no_grad():
        cache = KvCache(model.config, 3, 20)
        model.last_logits(IDS[:, :8], padded, cache)
        model.last_logits(IDS[:, 8:9], None, cache)
    assert not calls
