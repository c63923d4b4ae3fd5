"""Next-k-mer prediction: targets, draws, learning, and its baselines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lingome.config.tokens_choose import NextKmerSettings
from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.next_kmer import NextKmerModel, Positions, Stretches, merges_of, next_kmer
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


def test_the_head_reads_the_state_at_sep() -> None:
    model = NextKmerModel(build_masked_lm("nano", 9).body, (1,), 0).eval()
    ids = torch.tensor([[2, 5, 6, 3, 0, 0], [2, 5, 6, 7, 8, 3]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    with torch.no_grad():
        together = model(ids, mask)[0]
        alone = model(ids[:1, :4], mask[:1, :4])[0]
        hidden = model.body(ids, mask)
    torch.testing.assert_close(together[:1], alone)
    torch.testing.assert_close(together, model.heads[0](torch.stack([hidden[0, 3], hidden[1, 5]])))


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
    assert rows == next_kmer(genome, candidates, settings=QUICK, seeds=[1], **areas)


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
