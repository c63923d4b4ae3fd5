"""Contrastive training: the loss by hand, views, and what a small model learns."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError, Interrupted
from lingome.core.rundir import RunDir
from lingome.data.areas import choose_areas
from lingome.data.genome import Genome
from lingome.data.sequence import as_bases
from lingome.models.presets import PRESETS, build_masked_lm
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.train.checkpointing import Checkpointing
from lingome.train.objectives.contrastive import ContrastiveObjective, ContrastiveValidation, embed_pair, info_nce
from lingome.train.pretraining.corpus import Corpus, WindowSettings
from lingome.train.pretraining.model import pretrain_model
from lingome.train.pretraining.results import describe, find_warnings, language_columns, language_rows
from lingome.train.sources import add_ends

TOKENIZER = CharacterTokenizer()
RNG = np.random.default_rng(0)
WINDOWS = RNG.integers(5, 9, (6, 40))


def test_info_nce_by_hand():
    # Lengths do not count: cosines of (1,0),(0,1) with (2,0),(1,1) are 1, 1/sqrt 2; 0, 1/sqrt 2. Temperature 1/2.
    first, second = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    e, r = math.exp, 2 / math.sqrt(2)
    expected = [
        -math.log(e(2) / (e(2) + e(r))), -math.log(e(r) / (e(0) + e(r))),  # each of the first over the second
        -math.log(e(2) / (e(2) + e(0))), -math.log(e(r) / (e(r) + e(r))),  # and the reverse
    ]
    assert info_nce(first, second, 0.5).tolist() == pytest.approx(expected, rel=1e-6)


def test_crops_overlap_and_begin_elsewhere():
    windows = np.tile(np.arange(5, 105), (50, 1))
    pair = ContrastiveObjective(TOKENIZER, "crops", crop_share=0.6).pair(windows, np.random.default_rng(1), 512)
    first, second = pair.input_ids[:, 1:-1].numpy().reshape(2, 50, -1)
    assert first.shape == (50, 60)
    assert (np.diff(first) == 1).all()
    assert (first[:, 0] != second[:, 0]).all()
    assert min(len(set(a) & set(b)) for a, b in zip(first.tolist(), second.tolist(), strict=True)) >= 20


@pytest.mark.parametrize("tokenizer", [
    TOKENIZER, KmerTokenizer(3), train_bpe([as_bases("GATTACAGATTACATTACAGGA" * 5)], 8).tokenizer,
])
def test_the_other_strand_is_that_of_the_letters(tokenizer):
    letters = "GATTACAGATTACATTACAGGATTTACC"
    windows = np.stack([tokenizer.encode(letters).input_ids] * 2)
    pair = ContrastiveObjective(tokenizer, "reverse_complement").pair(windows, RNG, 512)
    real = pair.input_ids[2][pair.attention_mask[2]].numpy()
    assert tokenizer.decode(real) == "GGTAAATCCTGTAATGTAATCTGTAATC"
    assert tokenizer.decode(pair.input_ids[0].numpy()) == letters


def test_dropout_makes_two_views_and_is_asked_for():
    without, objective = build_masked_lm("nano", 9, 0), ContrastiveObjective(TOKENIZER, "dropout")
    batch = {"input_ids": add_ends(WINDOWS, TOKENIZER)}
    with pytest.raises(ConfigError, match="need a model with dropout"):
        objective.loss(without, batch, RNG)
    with pytest.raises(ConfigError, match="one window"):
        ContrastiveObjective(TOKENIZER).loss(without, {"input_ids": batch["input_ids"][:1]}, RNG)
    with pytest.raises(ConfigError, match="cannot be cut"):
        objective.draw(batch, RNG)


def test_the_mean_leaves_ends_and_padding_out():
    model = build_masked_lm("nano", 9, 0).eval()
    objective = ContrastiveObjective(TOKENIZER)
    pair = objective.pair(WINDOWS, np.random.default_rng(0), 512)
    wide = pair._replace(
        input_ids=torch.nn.functional.pad(pair.input_ids, (0, 7), value=TOKENIZER.pad_id),
        attention_mask=torch.nn.functional.pad(pair.attention_mask, (0, 7), value=False),
    )
    with torch.no_grad():
        hidden = model.body(pair.input_ids)[:, 1:-1].mean(dim=1)
        torch.testing.assert_close(embed_pair(model, pair), hidden)
        torch.testing.assert_close(embed_pair(model, wide), hidden, atol=1e-5, rtol=0)


def test_retrieval_of_known_vectors():
    validation = ContrastiveValidation(WINDOWS, ContrastiveObjective(TOKENIZER, temperature=1.0), seed=0)
    first = torch.eye(4)
    second = torch.eye(4)[[0, 1, 3, 2]]  # two of four find their partner, in both directions
    assert validation.measure(first, second)["accuracy"] == 0.5
    equal = validation.measure(torch.ones(4, 3), torch.ones(4, 3))
    assert equal["loss"] == pytest.approx(math.log(4))
    assert equal["accuracy"] == 0.25  # what all vectors being one comes to is chance
    assert validation.unigram(np.zeros(9))["accuracy"] == 1 / 6


def test_baselines_stand_beside():
    objective = ContrastiveObjective(TOKENIZER, "reverse_complement")
    windows = np.random.default_rng(3).integers(5, 9, (24, 200))
    rows = dict(ContrastiveValidation(windows, objective, seed=0).baselines(build_masked_lm("nano", 9, 0)))
    assert list(rows) == ["random weights", "4-mer frequencies, one strand", "4-mer frequencies, both strands"]
    assert rows["4-mer frequencies, both strands"]["accuracy"] == 1.0
    assert rows["4-mer frequencies, one strand"]["accuracy"] < 0.5


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">c\n" + "".join(np.random.default_rng(1).choice(list("ACGT"), 3000)) + "\n")
    genome = Genome.open(path)
    areas = choose_areas(genome.lengths, validation_share=0.2, gap_bp=10)

    def stop(model):
        raise KeyboardInterrupt

    def weights(folder, publish=None, resume=False):
        model = build_masked_lm(dataclasses.replace(PRESETS["nano"], dropout=0.1), 9, 0)
        (tmp_path / folder).mkdir(exist_ok=True)
        done = pretrain_model(
            model, Corpus(genome, TOKENIZER, areas),
            TrainSettings(max_steps=4, batch_tokens=256, save_every=1, eval_every=1), seed=0,
            objective=ContrastiveObjective(TOKENIZER, "dropout"),
            windows=WindowSettings(max_tokens=30, validation_windows=8),
            saving=Checkpointing(RunDir(tmp_path / folder), resume=resume, publish=publish),
        )
        return model.state_dict(), done

    whole, done = weights("whole")
    with pytest.raises(Interrupted):
        weights("parted", stop)
    again, other = weights("parted", resume=True)
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    names = ["trained", "at the start", "chance", "random weights", "4-mer frequencies, one strand",
             "4-mer frequencies, both strands"]
    assert [row["name"] for row in language_rows(done)] == [row["name"] for row in language_rows(other)] == names
    assert language_columns(language_rows(done)) == ("name", "kind", "loss", "accuracy")
    assert "find their partner among 8" in describe(done)
    assert "a baseline is as good" in {row.topic for row in find_warnings(done)}


def test_the_two_strands_come_together():
    torch.manual_seed(0)
    model, objective = build_masked_lm("nano", 9, 0), ContrastiveObjective(TOKENIZER, "reverse_complement")
    rng = np.random.default_rng(5)

    def draw(n):  # windows of different composition on each strand: purines by a chance of their own
        return np.stack([rng.choice([5, 6, 7, 8], 40, p=np.array([a, 1 - a, a, 1 - a]) / 2) for a in rng.random(n)])

    validation = ContrastiveValidation(draw(16), objective, seed=0)
    before = validation(model.eval())
    optimizer = torch.optim.AdamW(model.body.parameters(), lr=0.01)
    for _ in range(30):
        result = objective.loss(model.train(), {"input_ids": add_ends(draw(16), TOKENIZER)}, rng)
        optimizer.zero_grad()
        (result.total / result.items).backward()
        optimizer.step()
    after = validation(model.eval())
    assert result.items == 32
    assert after["loss"] < 0.9 * before["loss"]
    assert after["accuracy"] > before["accuracy"]
