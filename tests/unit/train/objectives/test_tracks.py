"""Poisson regression of tracks: values by hand, outside references, and a planted signal."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.models.networks.tracks.model import build_tracks
from lingome.models.networks.tracks.shape import TracksConfig
from lingome.tokens.characters import CharacterTokenizer
from lingome.train.checkpointing import Phase
from lingome.train.loop import train
from lingome.train.objectives import Batch
from lingome.train.objectives.tracks import Augmentation, TracksObjective, poisson_constant, poisson_losses

LETTERS = CharacterTokenizer()
PLAIN = Augmentation(0, 0.0)


def test_losses_and_constant_are_the_poisson_law() -> None:
    """Together they are scipy's -log pmf, and torch's own loss leaves out the same part."""
    rate, counts = torch.tensor([0.5, 2.0, 7.0]), torch.tensor([0.0, 3.0, 5.0])
    whole = poisson_losses(rate, counts) + poisson_constant(counts)
    assert whole.numpy() == pytest.approx(-stats.poisson.logpmf(counts.numpy(), rate.numpy()), abs=1e-5)
    torchs = torch.nn.functional.poisson_nll_loss(rate, counts, log_input=False, full=False, reduction="none", eps=1e-7)
    assert torch.allclose(poisson_losses(rate, counts), torchs, atol=1e-6)
    assert float(poisson_losses(torch.zeros(1), torch.ones(1))) == pytest.approx(7 * math.log(10), abs=1e-4)


def test_shift_moves_bases_and_leaves_signal() -> None:
    """Four letters by one base: either side, or none; what comes in is unknown."""
    ids = np.tile([5, 6, 7, 8], (60, 1))
    targets = np.arange(120.0).reshape(60, 2, 1)
    moved, kept = Augmentation(1, 0.0).apply(ids, targets, np.random.default_rng(0), LETTERS)
    assert np.array_equal(kept, targets)
    seen = {tuple(row) for row in moved.tolist()}
    assert seen == {(5, 6, 7, 8), (6, 7, 8, 1), (1, 5, 6, 7)}


def test_turning_reads_the_other_strand() -> None:
    """AACG is CGTT on the other strand; its bins change places, and tracks of opposite strands do."""
    ids, targets = np.array([[5, 5, 6, 7]]), np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    turned, signal = Augmentation(0, 1.0, (1, 0, 2)).apply(ids, targets, np.random.default_rng(0), LETTERS)
    assert turned.tolist() == [[6, 7, 8, 8]]
    assert signal.tolist() == [[[5.0, 4.0, 6.0], [2.0, 1.0, 3.0]]]
    both, _ = Augmentation(0, 0.5).apply(np.tile(ids, (400, 1)), np.tile(targets, (400, 1, 1)),
                                         np.random.default_rng(0), LETTERS)
    assert 150 < int((both[:, 0] == 6).sum()) < 250
    assert targets[0, 0, 0] == 1.0  # what was given is as it was


def test_missing_values_are_not_counted() -> None:
    config = TracksConfig(n_tracks=2, bin_bp=4, max_positions=16, hidden_size=8, n_layers=1, n_heads=2, key_size=4,
                          n_distance_features=6, channel_multiple=4)
    model = build_tracks(config).eval()
    ids = np.array([[5, 6, 7, 8] * 4])
    targets = np.ones((1, 4, 2))
    targets[0, 0, 0] = np.nan
    batch = {"input_ids": ids, "targets": targets}
    result = TracksObjective(LETTERS, PLAIN).loss(model, batch, np.random.default_rng(0))
    wanted = poisson_losses(model(torch.from_numpy(ids)), torch.ones(1, 4, 2)).flatten()[1:].sum()
    assert result.items == 7
    assert float(result.total.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 4), (1, 3, 2), (1, 4, 1)])
def test_targets_of_other_bins_are_refused(shape: tuple[int, ...]) -> None:
    config = TracksConfig(n_tracks=2, bin_bp=4, max_positions=16, hidden_size=8, n_layers=1, n_heads=2, key_size=4,
                          n_distance_features=6, channel_multiple=4)
    batch = {"input_ids": np.full((1, 16), 5), "targets": np.ones(shape)}
    with pytest.raises(DataError):
        TracksObjective(LETTERS, PLAIN).loss(build_tracks(config), batch, np.random.default_rng(0))


def test_bad_values_are_refused() -> None:
    batch = {"input_ids": np.full((1, 16), 5), "targets": np.full((1, 4, 1), -1.0)}
    with pytest.raises(DataError, match="do not fit"):
        TracksObjective(LETTERS, PLAIN).loss(torch.nn.Linear(1, 1), batch, np.random.default_rng(0))
    for values in ((-1, 0.5), (3, 1.5)):
        with pytest.raises(ConfigError):
            Augmentation(*values)
    with pytest.raises(ConfigError, match="come in pairs"):
        Augmentation(3, 0.5, (1, 1))


class Planted:
    """Windows of 128 bases; half of their 16-base bins have TGACTCA, on either strand, and 4 counts instead of 0.2."""

    batches_per_epoch = 1000

    def batch(self, epoch: int, index: int) -> Batch:
        rng = np.random.default_rng([epoch, index])
        ids, targets = rng.integers(5, 9, (8, 128)), np.full((8, 8, 1), 0.2)
        motif = np.array([8, 7, 5, 6, 8, 6, 5])
        for row, column in np.argwhere(rng.random((8, 8)) < 0.5):
            start = 16 * column + 4 + int(rng.integers(0, 3))
            ids[row, start : start + 7] = motif if rng.random() < 0.5 else 13 - motif[::-1]
            targets[row, column] = 4.0
        return {"input_ids": ids, "targets": targets.astype(np.float32)}


def test_a_planted_signal_is_learnt() -> None:
    """The one loop with this objective: far better than the mean, and near the loss of the true rates."""
    config = TracksConfig(n_tracks=1, bin_bp=16, max_positions=128, hidden_size=24, n_layers=1, n_heads=2, key_size=8,
                          n_distance_features=12, channel_multiple=8, stem_taps=9)
    model = build_tracks(config)
    settings = TrainSettings(epochs=None, max_steps=45, lr=8e-3, eval_every=1000, log_every=1000)
    train(model, TracksObjective(LETTERS, Augmentation(1, 0.5)), Planted(), settings, phase=Phase(seed=0))
    batch = Planted().batch(9, 9)
    result = TracksObjective(LETTERS, PLAIN).loss(model.eval(), batch, np.random.default_rng(0))
    counts = torch.from_numpy(batch["targets"])
    mean = float(poisson_losses(counts.mean().expand_as(counts), counts).mean())
    truth = float(poisson_losses(counts, counts).mean())
    assert float(result.total.detach()) / result.items < truth + 0.25 * (mean - truth)
