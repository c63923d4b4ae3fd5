"""Reading without a cache: the numbers of one forward pass, whatever was reordered."""

import pytest
import torch

from lingome.core.errors import DataError
from lingome.generate.cached import CachedDecoder
from lingome.generate.recomputed import Recomputed, reader_of, reading_cost
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.hyena.model import HyenaLM, build_hyena_lm
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.presets import build_causal_lm

CONFIG = HyenaConfig(hidden_size=16, n_layers=2, ffn_size=24, max_positions=12, filter_size=8, vocab_size=9)
IDS = torch.randint(5, 9, (3, 6), generator=torch.Generator().manual_seed(0))


def model() -> HyenaLM:
    return build_hyena_lm(CONFIG, seed=1).eval()


def test_steps_are_one_forward_pass() -> None:
    whole = model()(IDS)
    assert whole.shape == (3, 6, 16)  # seven rows of the output stand for no token
    reader = reader_of(model(), 10)
    assert isinstance(reader, Recomputed)
    logits = [reader.start(IDS[:, :3])] + [reader.step(IDS[:, place]) for place in (3, 4, 5)]
    for place, given in enumerate(logits, start=2):
        assert given.shape == (3, 9)
        assert (given - whole[:, place, :9]).abs().max() < 1e-5


def test_padded_prompts_and_reordered_rows() -> None:
    mask = torch.arange(6) >= torch.tensor([0, 2, 4])[:, None]
    reader = Recomputed(model(), 10)
    start = reader.start(IDS.masked_fill(~mask, 0), mask)
    for row, first in enumerate((0, 2, 4)):
        assert (start[row] - model()(IDS[row : row + 1, first:])[0, -1, :9]).abs().max() < 1e-5
    reader.reorder(torch.tensor([2, 2]))
    step = reader.step(torch.tensor([5, 8]))
    alone = model()(torch.cat([IDS[2, 4:], torch.tensor([8])])[None])[0, -1, :9]
    assert (step[1] - alone).abs().max() < 1e-5


def test_full_positions() -> None:
    reader = Recomputed(model(), 7)
    reader.start(IDS)
    reader.step(IDS[:, 0])
    with pytest.raises(DataError, match="longer than the model can read"):
        reader.step(IDS[:, 0])
    with pytest.raises(DataError, match="prompt is longer"):
        Recomputed(model(), 5).start(IDS)
    sliding = Recomputed(model(), 6, slide=True)
    sliding.start(IDS)
    expected = model()(torch.cat([IDS[:, 4:], IDS[:, :1]], dim=1))[:, -1, :9]
    assert (sliding.step(IDS[:, 0]) - expected).abs().max() < 1e-5


def test_a_cache_where_there_is_one() -> None:
    decoder = build_causal_lm(DecoderConfig(hidden_size=16, n_layers=1, n_heads=2, n_kv_heads=2, ffn_size=24), 9)
    assert isinstance(reader_of(decoder.eval(), 8), CachedDecoder)
    assert reading_cost(decoder, 2, 100) == (8 * 2 * 100 * 16, 1.0)
    assert reading_cost(model(), 2, 200)[1] == 2
