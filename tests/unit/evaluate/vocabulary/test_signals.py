"""Cheap signals of vocabularies: values worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.vocabulary.signals import (
    SignalBases,
    bits_of_blocks,
    entropy_bits,
    renyi_efficiency,
    strand_borders,
    vocabulary_signals,
    word_numbers,
)
from lingome.evaluate.vocabulary.stretches import Stretches
from lingome.evaluate.vocabulary.token_ngrams import NgramModel
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.kmers import KmerTokenizer

LETTERS = BpeTokenizer([])


def _blocks(*texts: str) -> list[np.ndarray]:
    return [np.frombuffer(text.encode(), dtype=np.uint8) for text in texts]


@pytest.mark.parametrize(("merges", "text", "kept", "total"), [
    ([(5, 6)], "ACGAC", 2, 2),  # AC|G|AC, and GTCGT has a border everywhere
    ([(8, 8)], "TTT", 1, 1),  # TT|T, and A|A|A
    ([(5, 5)], "AATT", 1, 2),  # AA|T|T is its own reverse complement: borders 2, 3 mirror to 2, 1
    ([(5, 5)], "TAAN", 1, 1),  # T|AA|N: the border at N does not count; NTTA has one before its A
    ([], "ACGT", 3, 3),
])
def test_borders_of_the_other_strand(merges: list, text: str, kept: int, total: int) -> None:
    tokenizer, blocks = BpeTokenizer(merges), _blocks(text)
    found = strand_borders(tokenizer, blocks, tokenizer.encode_batch(blocks))
    assert [each.tolist() for each in found] == [[kept], [total]]


def test_k_mers_keep_all_borders_or_none() -> None:
    tokenizer, blocks = KmerTokenizer(3, overlap=False), _blocks("ACGTTA", "ACGTTACT")
    kept, total = strand_borders(tokenizer, blocks, tokenizer.encode_batch(blocks))
    assert kept.tolist() == [1, 0]  # 8 bases: words end at 3 and 6, and at 8 - 3 and 8 - 6 on the other strand
    assert total.tolist() == [1, 3]  # ACG|TTA|C|T


def test_bits_add_up_over_tokens_and_are_divided_by_bases() -> None:
    """Equally frequent letters cost two bits each, equally frequent pairs four bits a pair."""
    blocks = _blocks("ACNGT", "TTT")
    numbers = word_numbers(LETTERS)
    even = np.tile(np.arange(4), 100)
    model = NgramModel(even, even[:8], 4, highest=0)
    bits, bases = bits_of_blocks(model, LETTERS, blocks, LETTERS.encode_batch(blocks))
    assert bits == pytest.approx([8, 6])
    assert bases.tolist() == [4, 3]
    pairs = KmerTokenizer(2, overlap=False)
    numbers = word_numbers(pairs)
    every = np.tile(np.arange(numbers.max() + 1), 50)  # 16 pairs, and the 4 letters that are left over
    model = NgramModel(every, every[:20], 20, highest=0)
    bits, bases = bits_of_blocks(model, pairs, blocks, pairs.encode_batch(blocks))
    assert bits == pytest.approx([2 * np.log2(20), 2 * np.log2(20)])  # AC, GT; TT, T


def test_bases_under_unknown_tokens_cost_two_bits() -> None:
    blocks = _blocks("ACGT")
    model = NgramModel(np.zeros(10, dtype=np.int64), np.zeros(5, dtype=np.int64), 1, highest=0)
    unknown = [LETTERS.encode("NNNN")]  # as if the tokenizer knew none of them
    bits, bases = bits_of_blocks(model, LETTERS, blocks, unknown)
    assert bits.tolist() == [8.0]
    assert bases.tolist() == [4]


def test_entropies() -> None:
    assert entropy_bits(np.array([8, 8, 0])) == 1.0
    assert renyi_efficiency(np.array([3, 1]), 2.0) == pytest.approx(-np.log2(10 / 16))
    assert renyi_efficiency(np.array([4, 0])) == 0.0


@pytest.fixture
def bases(tmp_path: Path) -> SignalBases:
    rng = np.random.default_rng(1)
    unit = "".join(rng.choice(list("ACGT"), 30))
    text = "".join(unit if rng.random() < 0.5 else "".join(rng.choice(list("ACGT"), 30)) for _ in range(3000))
    file = tmp_path / "g.fa"
    file.write_text(f">1\n{text}\n")
    genome = Genome.open(file)
    learn = Stretches(genome, [Interval("1", 0, 70_000)], "training")
    return SignalBases.sample(learn, Stretches(genome, [Interval("1", 71_000, 90_000)], "test"), 60_000, 15_000)


def test_rows_are_complete_and_make_sense(bases: SignalBases) -> None:
    tokenizers = {"characters": LETTERS, "3-mers": KmerTokenizer(3, overlap=False)}
    rows = vocabulary_signals(bases, tokenizers, {"characters": 0, "3-mers": None})
    letters, triples = rows
    assert letters["bases_per_token"] == letters["tokens_per_base"] == letters["length_median"] == 1
    assert letters["rc_share"] == letters["single_share"] == letters["used_share"] == 1
    assert triples["bases_per_token"] == pytest.approx(3, abs=0.01)
    assert triples["rc_share"] == pytest.approx(1 / 3, abs=0.2)
    assert (triples["length_p5"], triples["length_p95"]) == (3, 3)
    for row in rows:
        assert row["bits_per_base_low"] < row["bits_per_base"] < row["bits_per_base_high"] < 2.05
        assert row["bits_behind"] >= 0
        assert row["merges"] == {"characters": 0, "3-mers": None}[row["vocabulary"]]
        assert 1 < row["markov_bits_per_base"] < 1.5  # half of it is one word of 30 letters, again and again
        assert row["n_bases"] <= 60_000
        assert 10_000 < row["n_test_bases"] <= 15_000
    assert triples["bits_per_base"] < letters["bits_per_base"]  # three tokens back are nine bases, not three
    assert rows == vocabulary_signals(bases, tokenizers, {"characters": 0, "3-mers": None})


def test_too_little_sequence_is_said(tmp_path: Path) -> None:
    file = tmp_path / "g.fa"
    file.write_text(">1\nACGTACGTAC\n")
    short = Stretches(Genome.open(file), [Interval("1", 0, 4)], "training")
    with pytest.raises(DataError, match="too short"):
        SignalBases.sample(short, short, 1000, 1000)
