from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lingome.core import progress
from lingome.data.readers.compressed import estimate_bases
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.cost import measure_encoding, measure_training
from lingome.tokens.kmers import KmerTokenizer


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = ["".join(random.choice(list("ACGT"), 60)) for _ in range(5000)]
    file = tmp_path / "g.fa"
    file.write_text(">a\n" + "N" * 600 + "\n" + "\n".join(lines) + "\n")
    return file


def test_the_length_of_a_token_leaves_unknown_letters_out(fasta: Path) -> None:
    cost = measure_encoding(fasta, KmerTokenizer(6, overlap=False))
    assert cost.bases_per_token == 6  # 300,000 known letters, whole words
    assert 0 < cost.seconds_per_base < 1e-5
    assert measure_encoding(fasta, CharacterTokenizer()).bases_per_token == 1


def test_more_merges_cost_more(fasta: Path) -> None:
    few = measure_training(fasta, 50)
    many = measure_training(fasta, 5000)
    assert few.seconds_per_base > 0
    assert many.seconds > few.seconds


@pytest.mark.parametrize("content", [">a\nNNNNNN\n", ">a\nA\n", ">a\n"])
def test_nothing_to_learn_from_costs_the_reading(content: str, tmp_path: Path) -> None:
    file = tmp_path / "g.fa"
    file.write_text(content)
    assert measure_training(file, 600).seconds == 0
    assert measure_training(file, 600, alphabet=PROTEIN).seconds == 0


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, message: str) -> None:
        self.heard.append(message)

    def show(self, text: str) -> None:
        self.heard.append(text)

    def bar(self, description: str, total: float | None, unit: str) -> progress.Bar:
        self.heard.append(description)
        raise AssertionError("no bar while measuring")


def test_measuring_is_silent_and_what_follows_is_heard(fasta: Path) -> None:
    listener = Listener()
    progress.set_sink(listener)
    try:
        measure_training(fasta, 20)
        assert listener.heard == []
        progress.say("done")
    finally:
        progress.set_sink(None)
    assert listener.heard == ["done"]


def test_bases_are_estimated_from_the_size_of_the_file(fasta: Path, tmp_path: Path) -> None:
    size = fasta.stat().st_size
    assert estimate_bases(fasta) == size
    packed = tmp_path / "g.fa.gz"
    packed.write_bytes(gzip.compress(fasta.read_bytes()))
    assert 0.8 * size < estimate_bases(packed) < 1.6 * size
