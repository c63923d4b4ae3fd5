"""The track model against loops written from the paper and the released programs, and against its own laws."""

import dataclasses
import doctest
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.heads.reverse_complement import Complement, ReverseComplement
from lingome.models.networks.tracks.model import (
    RelativeAttention,
    SoftmaxPool,
    Tracks,
    build_tracks,
    distance_features,
    shift_rows,
)
from lingome.models.networks.tracks.shape import ENFORMER, TracksConfig, tower_channels
from lingome.tokens.characters import CharacterTokenizer

SMALL = TracksConfig(
    n_tracks=3, bin_bp=8, crop_bins=1, max_positions=96, hidden_size=24, n_layers=2, n_heads=2, key_size=5,
    n_distance_features=12, channel_multiple=4, stem_taps=5, tower_taps=3,
)


def loud(config: TracksConfig = SMALL, seed: int = 0) -> Tracks:
    """A model whose every weight matters, running statistics included."""
    model = build_tracks(config, seed).eval()
    draw = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw), alpha=0.1)
        for statistic in model.buffers():
            statistic.add_(torch.rand(statistic.shape, generator=draw), alpha=0.2)
    return model


def bases(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(5, 9, shape, generator=torch.Generator().manual_seed(seed))


def test_published_size() -> None:
    """Enformer with its human head, by hand from the paper's settings, with four channels in."""
    sizes = [768, 768, 896, 1024, 1152, 1280, 1536]
    assert tower_channels(ENFORMER) == sizes

    def block(inputs: int, outputs: int, taps: int) -> int:
        return 2 * inputs + outputs * (inputs * taps + 1)

    stem = 768 * (4 * 15 + 1) + block(768, 768, 1) + 768**2
    tower = sum(block(a, b, 5) + block(b, b, 1) + b * b for a, b in pairwise(sizes))
    attention = 1536 * (2 * 512 + 1536) + 192 * 512 + 2 * 512 + 1536 * 1536 + 1536
    layer = 4 * 1536 + attention + 2 * 1536 * 3072 + 3072 + 1536
    human = (3072 + 1) * 5313
    with torch.device("meta"):
        model = Tracks(ENFORMER)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == stem + tower + 11 * layer + block(1536, 3072, 1) + human == 246_172_353
    assert ENFORMER.n_bins - 2 * ENFORMER.crop_bins == 896


@pytest.mark.parametrize("symmetric", [False, True])
def test_basis_functions(symmetric: bool) -> None:
    """Each by its formula, in loops: half-lives, widths 1, 3, 7, and scipy's gamma densities."""
    config = dataclasses.replace(SMALL, symmetric_positions=symmetric)
    N, count = 12, 4 if symmetric else 2
    got = distance_features(config, N).numpy()
    spread, means = N / (2 * count), np.linspace(N / count, N, count)
    law = [stats.gamma(a=(mean / spread) ** 2, scale=spread**2 / mean) for mean in means]
    most = max(float(one.pdf(d)) for one in law for d in range(N)) + 1e-8
    halves = 2 ** np.linspace(3, math.log2(N), count)
    for row, d in enumerate(range(1 - N, N)):
        far = abs(d)
        wanted = [math.exp(-math.log(2) * far / half) for half in halves]
        wanted += [1.0 if far < 2 ** (i + 1) - 1 else 0.0 for i in range(count)]
        wanted += [(float(one.pdf(far)) + 1e-8) / most for one in law]
        wanted += [] if symmetric else [(d > 0) * w - (d < 0) * w for w in wanted]
        assert got[row] == pytest.approx(wanted, abs=1e-6)
    shorter = distance_features(config, 5).numpy()  # a distance means the same in a shorter input
    assert np.array_equal(shorter, got[N - 5 : N + 4])


@pytest.mark.parametrize("n", [1, 2, 7])
def test_shift_takes_the_distance_from_query_to_key(n: int) -> None:
    scores = torch.randn(2, 3, n, 2 * n - 1, generator=torch.Generator().manual_seed(0))
    shifted = shift_rows(scores)
    assert shifted.shape == (2, 3, n, n)
    for i in range(n):
        for j in range(n):
            assert torch.equal(shifted[..., i, j], scores[..., i, j - i + n - 1])


@torch.no_grad()
def test_attention_equals_loops() -> None:
    """Every pair of bins of every head by the formula of the module's text."""
    layer = loud().body.layers[0].attention
    assert isinstance(layer, RelativeAttention)
    n, H, K, V = 6, 2, 5, 12
    x = torch.randn(1, n, 24, generator=torch.Generator().manual_seed(1))
    features = distance_features(SMALL, n)
    q, k, v = (x[0] @ one.weight.T for one in (layer.query, layer.key, layer.value))
    mixed = torch.zeros(n, H * V)
    for h in range(H):
        part, own = slice(h * K, h * K + K), slice(h * V, h * V + V)
        relative = layer.distance.weight[part]
        for i in range(n):
            scores = torch.stack([
                (q[i, part] / math.sqrt(K) + layer.content_bias[h, 0]) @ k[j, part]
                + (q[i, part] / math.sqrt(K) + layer.distance_bias[h, 0]) @ (relative @ features[j - i + n - 1])
                for j in range(n)
            ])
            mixed[i, own] = scores.softmax(0) @ v[:, own]
    wanted = mixed @ layer.out.weight.T + layer.out.bias
    assert (layer(x, features)[0] - wanted).abs().max() < 1e-5


@torch.no_grad()
def test_pooling_equals_loops() -> None:
    """Two neighbours, each channel with weights of its own; at 2 I nearly the larger one."""
    pool = SoftmaxPool(3)
    pool.weight.copy_(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    x = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(1))
    got = pool(x)
    for place in range(4):
        pair = x[0, :, 2 * place : 2 * place + 2]
        for channel in range(3):
            weights = (pool.weight[channel] @ pair).softmax(0)
            assert float(got[0, channel, place]) == pytest.approx(float(weights @ pair[channel]), abs=1e-6)
    pool.weight.copy_(2 * torch.eye(3))
    assert pool(torch.tensor([[[0.0, 5.0]]]).expand(1, 3, 2)).min() > 4.99


def test_output_and_crop() -> None:
    """Bins without those cut off, at least 0; a cut model says of a bin what the whole one says."""
    model, ids = loud(), bases(2, 96)
    out = model(ids)
    assert out.shape == (2, 10, 3)
    assert bool((out > 0).all())
    whole = Tracks(dataclasses.replace(SMALL, crop_bins=0)).eval()
    whole.load_state_dict(model.state_dict())
    assert (whole(ids)[:, 1:-1] - out).abs().max() < 1e-6
    assert (model(ids[:1]) - out[:1]).abs().max() < 1e-5  # whatever else is in the batch
    assert len(model.body.hidden_states(ids)) == 3


def test_unknown_letters_are_zero_in_all_channels() -> None:
    model, ids = loud(), bases(1, 96)
    unknown, special = ids.clone(), ids.clone()
    unknown[0, 40], special[0, 40] = 1, 4
    assert torch.equal(model(unknown), model(special))
    assert not torch.equal(model(unknown), model(ids))


@pytest.mark.parametrize("pairs", [None, [1, 0, 2]])
def test_both_strands_agree_under_the_wrapper(pairs: list[int] | None) -> None:
    """The output of the reverse complement is the flipped output, with tracks of opposite strands exchanged."""
    tokenizer = CharacterTokenizer()
    model = ReverseComplement(loud(), Complement.of(tokenizer), "bins", pairs)
    ids = bases(2, 96)
    ids[0, 7] = tokenizer.unk_id
    turned = torch.where(ids == tokenizer.unk_id, ids, 13 - ids).flip(1)
    wanted = model(ids).flip(1)
    wanted = wanted if pairs is None else wanted[..., pairs]
    assert (model(turned) - wanted).abs().max() < 1e-5
    assert (loud()(turned) - loud()(ids).flip(1)).abs().max() > 1e-3  # the body alone does not
    with pytest.raises(DataError, match="bases alone"):
        model(torch.cat([torch.full((2, 1), 2), ids[:, 1:]], dim=1))


def test_tracks_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ConfigError, match="come in pairs"):
        ReverseComplement(loud(), Complement.of(CharacterTokenizer()), "bins", [1, 2, 0])


def test_first_weights_follow_the_table() -> None:
    """The released rules; attention adds nothing at first, pooling is nearly a maximum."""
    model = build_tracks(dataclasses.replace(SMALL, hidden_size=96, key_size=48), seed=3)
    state = model.state_dict()
    layer = "body.layers.0.attention"
    assert float(state[f"{layer}.query.weight"].std()) == pytest.approx(math.sqrt(2 / 96), rel=0.03)
    assert float(state["body.layers.0.ffn_in.weight"].std()) == pytest.approx(0.8796 / math.sqrt(96), rel=0.03)
    assert float(state["body.tower.1.first.conv.weight"].std()) == pytest.approx(
        0.8796 / math.sqrt(3 * state["body.tower.1.first.conv.weight"].shape[1]), rel=0.03
    )
    assert state[f"{layer}.out.weight"].eq(0).all()
    assert torch.equal(state["body.stem.pool.weight"], 2 * torch.eye(48))
    again = build_tracks(dataclasses.replace(SMALL, hidden_size=96, key_size=48), seed=3)
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


def test_gradients_reach_every_tensor() -> None:
    model = loud().train()
    model(bases(4, 96)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def test_a_folder_gives_the_same_model(tmp_path: Path) -> None:
    """Weights, running statistics and names of tracks; other loaders say what it is."""
    model = loud(dataclasses.replace(SMALL, track_names=("CTCF", "ATAC", "RNA")))
    model.train()(bases(3, 96))  # moves the running statistics
    model.eval()
    save_checkpoint(tmp_path / "model", model, CharacterTokenizer())
    loaded, _ = load_checkpoint(tmp_path / "model", "tracks")
    assert isinstance(loaded, Tracks)
    assert loaded.config == model.config
    assert torch.equal(loaded(bases(2, 96)), model(bases(2, 96)))
    with pytest.raises(CheckpointError, match="of bins, not of tokens"):
        load_checkpoint(tmp_path / "model", "body")
    with pytest.raises(CheckpointError, match="not a causal language model"):
        load_checkpoint(tmp_path / "model", "causal_lm")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"bin_bp": 6}, "bin_bp"), ({"crop_bins": 6}, "crop_bins"), ({"max_positions": 100}, "max_positions"),
        ({"n_distance_features": 9}, "n_distance_features"), ({"hidden_size": 26}, "hidden_size"),
        ({"stem_taps": 4}, "stem_taps"), ({"track_names": ("a",)}, "track_names"),
        ({"base_ids": (5, 5, 6, 7)}, "base_ids"), ({"label_names": ("a", "b")}, "label_names"),
        ({"n_layers": 0}, "n_layers"), ({"dropout": -0.1}, "dropout"),
    ],
)
def test_shapes_that_do_not_fit_are_named(values: dict[str, object], name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(SMALL, **values)
    assert caught.value.where == name


@pytest.mark.parametrize("length", [20, 16, 104])
def test_inputs_that_are_not_bins_are_refused(length: int) -> None:
    """Not whole bins; too short for the crop; too long."""
    with pytest.raises(DataError, match="does not fit the bins"):
        loud()(bases(1, length))


def test_padding_is_refused() -> None:
    mask = torch.ones(1, 96, dtype=torch.bool)
    assert torch.equal(loud()(bases(1, 96), mask), loud()(bases(1, 96)))
    mask[0, -1] = False
    with pytest.raises(DataError, match="no padding"):
        loud()(bases(1, 96), mask)


def test_dropout_acts_in_training_alone() -> None:
    model = loud(dataclasses.replace(SMALL, dropout=0.3, attention_dropout=0.2, position_dropout=0.2))
    ids = bases(2, 96)
    assert torch.equal(model(ids), model(ids))
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(ids), model(ids))


def test_the_page_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python example of ``docs/architectures/tracks.md``: train, save, load, predict."""
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[4] / "docs" / "architectures" / "tracks.md"
    done = doctest.testfile(str(page), module_relative=False)
    assert done.attempted >= 15
    assert done.failed == 0
