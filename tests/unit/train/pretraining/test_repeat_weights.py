"""Losses that count less in repeats: weights by hand, and what training and validation make of them."""

import math

import numpy as np
import pytest
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError
from lingome.core.rundir import RunDir
from lingome.data.areas import choose_areas
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.repeats import Repeats
from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.store import fill_store, open_store
from lingome.tokens.windows import TokenWindows, encode_genome
from lingome.train.checkpointing import Checkpointing
from lingome.train.objectives import CausalObjective, MaskedObjective
from lingome.train.objectives.validation import MaskedValidation
from lingome.train.pretraining.corpus import Corpus, WindowSettings
from lingome.train.pretraining.model import pretrain_model
from lingome.train.pretraining.results import language_columns, language_rows
from lingome.train.sources import PackedWindowSource, WindowSource

TOKENIZER = CharacterTokenizer()


class Table(torch.nn.Module):
    """The same log-probabilities at every place: of A, C, G, T 1/2, 1/4, 1/8, 1/8."""

    def __init__(self):
        super().__init__()
        logits = torch.full((9,), -1e9)
        logits[5:] = torch.log(torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8]))
        self.logits = torch.nn.Parameter(logits)

    def forward(self, input_ids, attention_mask=None, masked=None):
        return self.logits.expand(*input_ids.shape, -1) if masked is None else self.logits.expand(int(masked.sum()), -1)


def test_the_loss_is_a_weighted_mean():
    # A at weight 1 costs ln 2, G at weight 0.1 ln 8, C at weight 0.55 (half in a repeat) ln 4.
    drawn = {
        "input_ids": np.array([[2, 4, 4, 4, 8, 3]]), "masked": np.array([[0, 1, 1, 1, 0, 0]], dtype=bool),
        "true_ids": np.array([[2, 5, 7, 6, 8, 3]]), "weights": np.array([[1, 1, 0.1, 0.55, 1, 1]], dtype=np.float32),
    }
    got = MaskedObjective(TOKENIZER).loss(Table(), drawn, None)
    assert got.items == pytest.approx(1.65)
    assert got.total.item() == pytest.approx((1 * 1 + 0.1 * 3 + 0.55 * 2) * math.log(2), rel=1e-6)
    row = {"input_ids": np.array([[2, 5, 7, 6]]), "weights": np.array([[1, 1, 0.1, 0.55]], dtype=np.float32)}
    got = CausalObjective(TOKENIZER).loss(Table(), row, None)  # all three are next tokens
    assert got.items == pytest.approx(1.65)
    assert got.total.item() == pytest.approx((1 * 1 + 0.1 * 3 + 0.55 * 2) * math.log(2), rel=1e-6)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Two stretches of random bases; N between them."""
    letters = np.random.default_rng(0).choice(list("ACGT"), 4000)
    letters[2000:2005] = "N"
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">c\n{''.join(letters)}\n")
    return Genome.open(path)


REPEATS = Repeats({"c": np.array([[10, 14], [1998, 2010], [3000, 3500]])})


@pytest.mark.parametrize("tokenizer", [TOKENIZER, KmerTokenizer(3), KmerTokenizer(4, overlap=False)])
def test_shares_are_those_of_the_bases_of_each_token(genome, tokenizer):
    part = Interval("c", 5, 3700)
    encoded = encode_genome(genome, tokenizer, [part], REPEATS)
    inside = np.zeros(4000, dtype=bool)
    for start, end in REPEATS.spans["c"]:
        inside[start:end] = True
    encoding = tokenizer.encode(genome.sequence("c", 5, 3700))
    expected = []
    for token, start in zip(encoding.input_ids, encoding.offsets[:-1], strict=True):
        if token != tokenizer.unk_id:
            expected.append(inside[5 + start : 5 + start + tokenizer.token_lengths[token]].mean())
    np.testing.assert_allclose(encoded.repeat_share, expected, atol=1e-3)
    assert 0 < encoded.repeat_share.mean() < 1


@pytest.mark.parametrize("kind", [WindowSource, PackedWindowSource])
def test_weights_travel_with_their_tokens(kind):
    ids = np.arange(5, 505).astype(np.uint16)  # a token is its place
    windows = TokenWindows(ids, np.array([[0, 500]]), max_tokens=30, min_tokens=4, batch_tokens=200)
    batch = kind(windows, TOKENIZER, np.arange(500) / 1000).batch(0, 1)
    ends = (batch["input_ids"] == TOKENIZER.cls_id) | (batch["input_ids"] == TOKENIZER.sep_id)
    assert batch["weights"].dtype == np.float32
    assert (batch["weights"][ends] == 1).all()
    np.testing.assert_allclose(batch["weights"][~ends], (batch["input_ids"][~ends] - 5) / 1000, atol=1e-6)


def test_validation_tells_what_lies_outside():
    windows = np.array([[5, 7] * 50] * 4)  # A outside repeats, G inside
    share = np.array([[0.0, 1.0] * 50] * 4)
    found = MaskedValidation(windows, MaskedObjective(TOKENIZER), seed=0, repeat_share=share, batch_tokens=210)(Table())
    assert found["loss_outside_repeats"] == pytest.approx(math.log(2), rel=1e-6)
    assert found["bits_per_base_outside_repeats"] == pytest.approx(1, rel=1e-6)
    assert 1 < found["bits_per_base"] < 3


def test_a_training_with_repeats_reports_both_and_packs(genome, tmp_path):
    (tmp_path / "tables").mkdir()
    areas = choose_areas(genome.lengths, validation_share=0.2, gap_bp=50)
    brief = TrainSettings(max_steps=2, batch_tokens=256, eval_every=1)
    done = pretrain_model(
        build_masked_lm("nano", 9, 0), Corpus(genome, TOKENIZER, areas, repeats=REPEATS), brief, seed=0,
        windows=WindowSettings(max_tokens=30, mixed_lengths=True), saving=Checkpointing(RunDir(tmp_path)),
    )
    rows = language_rows(done)
    assert language_columns(rows)[-2:] == ("loss_outside_repeats", "bits_per_base_outside_repeats")
    assert all(row["loss_outside_repeats"] > 0 for row in rows)
    first = next(row for row in RunDir(tmp_path).read_metrics() if row["split"] == "valid")
    assert first["loss_outside_repeats"] == pytest.approx(done.before["loss_outside_repeats"], rel=1e-5)


def test_a_training_counts_repeats_by_their_weight(genome):
    """The share of a base is 0 or 1, and so its weight 1 or the given one; in half of the sequence."""
    seen = []

    class Looks(MaskedObjective):
        def loss(self, model, batch, rng):
            seen.append(batch["weights"][:, 1:-1])
            return super().loss(model, batch, rng)

    pretrain_model(
        build_masked_lm("nano", 9, 0),
        Corpus(
            genome, TOKENIZER, choose_areas(genome.lengths, validation_share=0),
            repeats=Repeats({"c": np.array([[0, 1000], [2005, 3005]])}), repeat_weight=0.3,
        ),
        TrainSettings(max_steps=2, batch_tokens=2048), seed=0, objective=Looks(TOKENIZER),
        windows=WindowSettings(max_tokens=30, fixed_share=1),
    )
    weights = np.concatenate([part.ravel() for part in seen])
    assert np.unique(weights).tolist() == [pytest.approx(0.3, abs=1e-3), 1.0]
    assert (weights < 1).mean() == pytest.approx(0.5, abs=0.1)


def test_a_store_is_refused(genome, tmp_path):
    (tmp_path / "store").mkdir()
    fill_store(tmp_path / "store", TOKENIZER, genome.path)
    areas = choose_areas(genome.lengths, validation_share=0)
    with pytest.raises(ConfigError, match="no annotation of repeats"):
        pretrain_model(
            build_masked_lm("nano", 9, 0), Corpus(open_store(tmp_path / "store"), TOKENIZER, areas, repeats=REPEATS),
            TrainSettings(max_steps=1), seed=0, windows=WindowSettings(max_tokens=30),
        )
