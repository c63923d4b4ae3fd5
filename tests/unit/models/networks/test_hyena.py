"""HyenaDNA against loops, a reference written from the papers, and the published sizes."""

import dataclasses
import importlib.util
import math
from pathlib import Path

import pytest
import torch

from lingome.core.errors import ConfigError, DataError
from lingome.models.folders.families import find_family
from lingome.models.networks.hyena.model import Hyena, HyenaLM, build_hyena_lm, convolve, decay_rates, position_features
from lingome.models.networks.hyena.shape import RELEASED, HyenaConfig

_spec = importlib.util.spec_from_file_location("reference_hyena", Path(__file__).parent / "reference_hyena.py")
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

SMALL = HyenaConfig(hidden_size=16, n_layers=2, ffn_size=40, max_positions=66, filter_size=8, embedding_dropout=0.0)


def loud(config: HyenaConfig = SMALL, seed: int = 0, noise: float = 0.2) -> HyenaLM:
    """A model whose every weight matters: no zero biases, no plain norms, and filters that are not nearly zero."""
    model = build_hyena_lm(config, seed).eval()
    draw = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw), alpha=noise)
    return model


def bases(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(7, 12, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("hyenadna-tiny-1k", 436_096), ("hyenadna-tiny-16k", 436_096), ("hyenadna-tiny-1k-d256", 1_641_088),
        ("hyenadna-small-32k", 3_277_568), ("hyenadna-medium-160k", 6_550_528), ("hyenadna-medium-450k", 6_550_528),
        ("hyenadna-large-1m", 6_550_528),
    ],
)
def test_published_sizes(name: str, count: int) -> None:
    """The 436 k, 1.6 M, 3.3 M and 6.6 M of Nguyen et al. 2023."""
    with torch.device("meta"):
        model = HyenaLM(RELEASED[name])
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert len(RELEASED) == 7


@pytest.mark.parametrize("length", [1, 2, 3, 17, 48, 65])
def test_convolution_equals_a_loop(length: int) -> None:
    draw = torch.Generator().manual_seed(length)
    x = torch.randn(2, 3, length, generator=draw, dtype=torch.float64)
    h = torch.randn(3, length, generator=draw, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for t in range(length):
        for back in range(t + 1):
            expected[:, :, t] += h[:, back] * x[:, :, t - back]
    got = convolve(x, h)
    assert got.dtype == torch.float64
    assert (got - expected).abs().max() < 1e-10


def test_features_and_decay_by_hand() -> None:
    """Position 33 of 66 is half a turn; channels fade from exp(-ln 100 / 1.5) to exp(-ln 100 / 0.3)."""
    features = position_features(34, SMALL)
    slow = 1e-4 * math.pi
    expected = torch.tensor([33 / 65, math.cos(slow), -1.0, -math.sin(slow), 0.0], dtype=torch.float64)
    torch.testing.assert_close(features[33], expected)
    assert features[0].tolist() == [0, 1, 1, 0, 0]
    rates = decay_rates(SMALL)
    torch.testing.assert_close(rates[[0, -1]], torch.tensor([math.log(100) / 1.5, math.log(100) / 0.3]).double())
    assert len(rates) == 16


@pytest.mark.parametrize(("dtype", "furthest"), [(torch.float32, 1e-5), (torch.float64, 1e-11)])
def test_equal_to_the_reference(dtype: torch.dtype, furthest: float) -> None:
    model = loud(dataclasses.replace(SMALL, tie_head=False), noise=0.1).to(dtype)
    ids = bases(3, 41)
    published = find_family(model.config).to_file(model.state_dict(), model.config)
    weights = {name: tensor.detach().numpy() for name, tensor in published.items()}
    logits = model(ids)
    assert logits.shape == (3, 41, 16)
    assert logits.std() > 0.2
    for row in range(3):
        expected = torch.from_numpy(reference.reference_logits(weights, ids[row].tolist(), 2, 66))
        assert (logits[row].double() - expected).abs().max() < furthest


def test_a_later_base_changes_no_earlier_logit() -> None:
    """In float64, so that the rounding of the Fourier transform stays below the bound."""
    model = loud().double()
    ids = bases(1, 50)
    before = model(ids)
    for place in (1, 25, 49):
        changed = ids.clone()
        changed[0, place] = 7 + (ids[0, place] - 6) % 5
        after = model(changed)
        assert (after - before)[0, :place].abs().max() < 1e-12
        assert (after - before)[0, place].abs().max() > 1e-3


def test_the_whole_past_is_seen() -> None:
    """The first base changes the last logit, 60 positions later: no window."""
    model = loud().double()
    ids = bases(1, 61)
    changed = ids.clone()
    changed[0, 0] = 7 + (ids[0, 0] - 6) % 5
    assert (model(changed) - model(ids))[0, -1].abs().max() > 1e-4


def test_right_padding_needs_no_mask() -> None:
    model = loud()
    ids = bases(1, 30)
    padded = torch.cat([ids, torch.full((1, 12), 4)], dim=1)
    torch.testing.assert_close(model(padded)[:, :30], model(ids), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_of_either_side_is_invisible_under_a_mask(side: str) -> None:
    """Each sequence has its logits of alone, whatever it is batched with."""
    model = loud()
    lengths = [30, 1, 17, 42]
    rows = [bases(length, seed=length) for length in lengths]
    ids, mask = torch.full((4, 42), 4), torch.zeros(4, 42, dtype=torch.bool)
    for index, row in enumerate(rows):
        where = slice(42 - len(row), 42) if side == "left" else slice(0, len(row))
        ids[index, where], mask[index, where] = row, True
    logits = model(ids, mask)
    for index, row in enumerate(rows):
        torch.testing.assert_close(logits[index][mask[index]], model(row[None])[0], atol=1e-5, rtol=1e-5)


def test_left_padding_without_a_mask_is_read_as_tokens() -> None:
    """As in the published code: the states of a sequence then depend on its padding."""
    model = loud()
    ids = bases(1, 30)
    padded = torch.cat([torch.full((1, 12), 4), ids], dim=1)
    assert (model(padded)[:, 12:] - model(ids)).abs().max() > 1e-2


def test_every_weight_has_a_gradient() -> None:
    model = loud(dataclasses.replace(SMALL, tie_head=False)).train()
    ids = bases(2, 40)
    torch.nn.functional.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_gradients_against_float64() -> None:
    ids = bases(2, 40)

    def gradients(dtype: torch.dtype) -> list[torch.Tensor]:
        model = loud().to(dtype)
        loss = torch.nn.functional.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        return [gradient.double() for gradient in torch.autograd.grad(loss, list(model.parameters()))]

    for got, expected in zip(gradients(torch.float32), gradients(torch.float64), strict=True):
        assert (got - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))


def test_it_learns() -> None:
    """A sequence of period 5 tells each next base; some steps take the loss far below the log 4 of chance."""
    torch.manual_seed(0)
    model = build_hyena_lm(dataclasses.replace(SMALL, hidden_size=32, ffn_size=64, filter_size=16), seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    for _ in range(150):
        ids = torch.randint(7, 11, (16, 5)).repeat(1, 9)
        loss = torch.nn.functional.cross_entropy(model(ids)[:, 4:-1].flatten(0, 1), ids[:, 5:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * math.log(4)


def test_the_same_seed_gives_the_same_model_and_logits() -> None:
    ids = bases(2, 40)
    one, two, other = (build_hyena_lm(SMALL, seed).eval() for seed in (3, 3, 4))
    assert torch.equal(one(ids), two(ids))
    assert not torch.equal(one(ids), other(ids))


def test_initialisation_follows_its_table() -> None:
    config = HyenaConfig(n_layers=4)
    model = build_hyena_lm(config, seed=0)
    layer = model.body.layers[1]
    assert layer.ffn_in.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert layer.filter.layers[1].weight.std().item() == pytest.approx(0.02, rel=0.05)
    for out in (layer.ffn_out, layer.mixer_out):
        assert out.weight.std().item() == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
    assert layer.filter.frequency.unique().tolist() == [10.0]
    assert layer.filter.skip.std().item() == pytest.approx(1.0, rel=0.2)
    for short in (layer.short.weight, layer.short.bias):
        assert short.std().item() == pytest.approx(1 / 3, rel=0.1)  # 1/sqrt(3), uniform: sd 1/sqrt(3)/sqrt(3)
        assert short.abs().max().item() <= 1 / math.sqrt(3)
    assert layer.mixer_in.bias.abs().max() == layer.filter.layers[0].bias.abs().max() == 0
    assert layer.mixer_norm.weight.unique().tolist() == [1.0]


def test_dropout_works_in_training_only() -> None:
    ids = bases(2, 40)
    for values in ({"embedding_dropout": 0.5}, {"dropout": 0.5}):
        model = build_hyena_lm(dataclasses.replace(SMALL, **values))
        model.train()
        torch.manual_seed(0)
        assert not torch.equal(model(ids), model(ids))
        model.eval()
        assert torch.equal(model(ids), model(ids))


def test_bfloat16_keeps_the_filter_in_float32() -> None:
    """In bfloat16 and under autocast logits stay near float32's; under autocast the filter is bit for bit its own."""
    model = loud(seed=5)
    ids = bases(2, 64)
    exact = model(ids)
    features = position_features(64, SMALL).float()
    window = torch.ones(64, 16)
    written = model.body.layers[0].filter(features, window)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model.body.layers[0].filter(features, window), written)
        rough = model(ids)
    assert (rough.float() - exact).abs().mean() < 0.03 * exact.std()
    cast = loud(seed=5).bfloat16()
    out = cast(ids)
    assert out.dtype == torch.bfloat16
    assert cast.body.layers[0].filter(features, window).dtype == torch.float32
    assert (out.float() - exact).abs().mean() < 0.1 * exact.std()


def test_chosen_positions_and_hidden_states() -> None:
    model = loud()
    ids = bases(2, 20)
    masked = torch.zeros(2, 20, dtype=torch.bool)
    masked[0, 3] = masked[1, [0, 19]] = True
    torch.testing.assert_close(model(ids, None, masked), model(ids)[masked], atol=1e-6, rtol=1e-6)
    states = model.body.hidden_states(ids)
    assert [tuple(state.shape) for state in states] == [(2, 20, 16)] * 3
    assert torch.equal(states[-1], model.body(ids))


def test_a_row_of_padding_alone_stays_finite() -> None:
    ids = bases(2, 20)
    mask = torch.ones(2, 20, dtype=torch.bool)
    mask[1] = False
    assert loud()(ids, mask).isfinite().all()


def test_too_long_a_sequence() -> None:
    with pytest.raises(DataError, match="67 tokens"):
        Hyena(SMALL)(torch.ones(1, 67, dtype=torch.long))


def test_rows_are_rounded_up() -> None:
    assert HyenaConfig().n_rows == 16
    assert HyenaConfig(vocab_size=9, vocab_multiple=1, pad_id=0, cls_id=2, sep_id=3).n_rows == 9


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"hidden_size": 0}, "hidden_size"), ({"n_layers": 10**9}, "n_layers"), ({"max_positions": 1}, "max_positions"),
        ({"pad_id": 12}, "pad_id"), ({"dropout": 1.0}, "dropout"), ({"embedding_dropout": -0.1}, "embedding_dropout"),
        ({"norm_eps": 0.0}, "norm_eps"),
    ],
)
def test_bad_values_are_named(values: dict, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        HyenaConfig(**values)


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match="hyenadna-large-1m"):
        build_hyena_lm("hyenadna-huge")
