"""Next-k-mer prediction: targets, draws, learning, and its baselines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lingome.config.tokens.choose import NextKmerSettings
from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.vocabulary.next_kmer import NextKmerTest, merges_of, next_kmer
from lingome.evaluate.vocabulary.next_kmer_model import NEAR_BP, NextKmerModel, Positions
from lingome.evaluate.vocabulary.stretches import Stretches
from lingome.models.presets import build_masked_lm
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.kmers import KmerTokenizer

QUICK = NextKmerSettings(
    preset="nano", ks=(2, 3), context_bp=12, pretrain_steps=2, windows_per_step=4, window_bp=40,
    finetune_steps=60, finetune_batch=64, n_train=1024, n_test=200, finetune_lr=2e-2,
)


def _genome(tmp_path: Path, sequence: str) -> Genome:
    file = tmp_path / "g.fa"
    file.write_text(f">1\n{sequence}\n")
    return Genome.open(file)


def test_targets_are_the_bases_after_the_context(tmp_path: Path) -> None:
    stretches = Stretches(_genome(tmp_path, "ACGT" * 100), [Interval("1", 0, 400)], "test")
    windows = stretches.draw(50, 15, np.random.default_rng(0))
    positions = Positions(windows, KmerTokenizer(1, overlap=False), QUICK, 10, 0)
    for window, (pair, triple) in zip(windows, positions.targets, strict=True):
        codes = ["ACGT".index(chr(letter)) for letter in window[12:]]
        assert pair == codes[0] * 4 + codes[1]
        assert triple == codes[0] * 16 + codes[1] * 4 + codes[2]
    assert [len(ids) for ids in positions.ids] == [12] * 50


def test_windows_hold_no_unknown_letter_and_cross_no_end(tmp_path: Path) -> None:
    genome = _genome(tmp_path, "A" * 50 + "N" * 50 + "C" * 50 + "G" * 50)
    stretches = Stretches(genome, [Interval("1", 0, 150), Interval("1", 150, 200)], "test")
    windows = stretches.draw(200, 20, np.random.default_rng(0))
    assert {bytes(window) for window in windows} == {b"A" * 20, b"C" * 20, b"G" * 20}
    with pytest.raises(DataError, match="too few stretches of 60"):
        stretches.draw(5, 60, np.random.default_rng(0))


def test_pieces_go_through_the_lengths_and_skip_the_unknown(tmp_path: Path) -> None:
    stretches = Stretches(_genome(tmp_path, "A" * 10 + "N" * 12 + "C" * 8), [Interval("1", 0, 30)], "test")
    assert [bytes(piece) for piece in stretches.pieces([4, 6], 100)] == [b"AAAA", b"AAAAAA", b"NNCC", b"CCCCCC"]
    assert [bytes(piece) for piece in stretches.pieces([4, 6], 12)] == [b"AAAA", b"CCCCCC"]
    assert [len(piece) for piece in stretches.pieces([50], 100)] == [31]


def _model(tokenizer: BpeTokenizer, ks: tuple[int, ...] = (1,)) -> NextKmerModel:
    return NextKmerModel(build_masked_lm("nano", tokenizer.vocab_size).body, tokenizer.token_lengths, ks, 0).eval()


def test_the_head_reads_the_tokens_of_the_last_bases_and_sep() -> None:
    """[CLS] ATT C [SEP]: the last base is C, the three before are ATT, and nothing lies before those."""
    tokenizer = BpeTokenizer([(8, 8), (5, 9)])
    model = _model(tokenizer)
    ids = torch.tensor([[2, 10, 6, 3, 0, 0], [2, 5, 6, 7, 8, 3]])
    mask = (ids != 0).long()
    with torch.no_grad():
        near = model.near_states(ids, mask)
        hidden = model.body(ids, mask)
        alone = model(ids[:1, :4], mask[:1, :4])[0]
        torch.testing.assert_close(model(ids, mask)[0][:1], alone)
    assert near.shape == (2, NEAR_BP + 1, 32)
    torch.testing.assert_close(near[0, :4], hidden[0, [2, 1, 1, 1]])
    torch.testing.assert_close(near[1, :4], hidden[1, [4, 3, 2, 1]])
    assert not near[:, 4:NEAR_BP].any()
    torch.testing.assert_close(near[:, NEAR_BP], torch.stack([hidden[0, 3], hidden[1, 5]]))


def test_a_k_mer_builds_on_its_beginning() -> None:
    """With heads for longer k-mers at zero, all k-mers of one beginning have its score."""
    model = _model(BpeTokenizer([]), (2, 3))
    with torch.no_grad():
        model.heads[2].weight.zero_()
        pairs, triples = model(torch.tensor([[2, 5, 6, 3]]), torch.ones(1, 4))
    torch.testing.assert_close(triples.view(1, 16, 4), pairs[:, :, None].expand(1, 16, 4))


def test_a_repeat_is_learnt_and_rows_are_complete(tmp_path: Path) -> None:
    genome = _genome(tmp_path, "ACCGT" * 2000)
    candidates = {"letters": KmerTokenizer(1, overlap=False), "BPE-2": BpeTokenizer([(6, 6), (5, 9)])}
    areas = {"train_intervals": [Interval("1", 0, 8000)], "test_intervals": [Interval("1", 8100, 10_000)]}
    rows = next_kmer(genome, candidates, settings=QUICK, seeds=[1], **areas)
    assert [(row["vocabulary"], row["k"], row["merges"]) for row in rows] == [
        ("letters", 2, None), ("letters", 3, None), ("BPE-2", 2, 2), ("BPE-2", 3, 2),
    ]
    for row in rows:
        assert row["accuracy"] > 0.9
        assert row["baseline"] == 1.0
        assert row["chance"] == 4.0 ** -row["k"]
        assert row["most_frequent"] < 0.5
        assert row["low"] <= row["accuracy"] <= row["high"]
    best = max(rows, key=lambda row: row["mean_accuracy"])
    for row in rows:
        assert row["behind"] == pytest.approx(best["mean_accuracy"] - row["mean_accuracy"])
        assert row["behind_low"] <= row["behind"] <= row["behind_high"]
        assert row["bits_per_base"] < 0.3
    assert rows == next_kmer(genome, candidates, settings=QUICK, seeds=[1], **areas)


def test_controls_start_from_random_weights(tmp_path: Path) -> None:
    genome = _genome(tmp_path, "ACCGT" * 2000)
    learn, held = (Stretches(genome, [one], "part") for one in (Interval("1", 0, 8000), Interval("1", 8100, 10_000)))
    settings = QUICK.replace(finetune_steps=3)
    test = NextKmerTest(learn, held, settings, [1])
    tokenizers = {"letters": KmerTokenizer(1, overlap=False)}
    guesses = {"letters": test.run("letters", tokenizers["letters"])}
    (row,) = test.control_rows(["letters", "letters"], guesses, tokenizers)
    bare = NextKmerTest(learn, held, settings.replace(pretrain_steps=0), [1]).run("letters", tokenizers["letters"])
    assert row["random_weights"] == pytest.approx(bare.hits.mean())
    assert row["gain"] == pytest.approx(guesses["letters"].hits.mean() - bare.hits.mean())
    assert row["gain_low"] <= row["gain"] <= row["gain_high"]


def test_overlap_of_train_and_test_is_refused(tmp_path: Path) -> None:
    genome = _genome(tmp_path, "ACGT" * 100)
    with pytest.raises(DataError, match="overlap"):
        next_kmer(
            genome, {}, train_intervals=[Interval("1", 0, 200)], test_intervals=[Interval("1", 150, 400)],
            settings=QUICK, seeds=[0],
        )


def test_merges_of_each_kind() -> None:
    assert merges_of(BpeTokenizer([])) == 0
    assert merges_of(BpeTokenizer([(5, 5)])) == 1
    assert merges_of(KmerTokenizer(3, overlap=False)) is None
