from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lingome.core.errors import ConfigError, DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.repeats import Repeats
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.places import WindowPlaces
from lingome.tokens.windows import TokenWindows, encode_genome, estimate_bases_per_token

# Each id is its own position, so that a window shows where it lies.
IDS = np.arange(1000, dtype=np.uint16)
SEGMENTS = np.array([[0, 300], [300, 305], [305, 1000]])


def windows(**changes: Any) -> TokenWindows:
    values: dict[str, Any] = {"max_tokens": 100, "min_tokens": 20, "batch_tokens": 400, "seed": 3, **changes}
    return TokenWindows(IDS, SEGMENTS, **values)


def test_a_batch_is_a_function_of_epoch_and_step() -> None:
    drawn = windows()
    before = drawn.batch(0, 7)
    drawn.batch(5, 1)
    assert np.array_equal(drawn.batch(0, 7), before)
    assert np.array_equal(windows().batch(0, 7), before)
    others = [windows().batch(1, 7), windows().batch(0, 8), windows(seed=4).batch(0, 7)]
    assert not any(np.array_equal(other, before) for other in others)


def test_windows_are_contiguous_and_never_cross_a_border() -> None:
    drawn = windows()
    for step in range(200):
        batch = drawn.batch(0, step).astype(int)
        assert (np.diff(batch, axis=1) == 1).all()
        assert 20 <= batch.shape[1] <= 100
        assert len(batch) == 400 // batch.shape[1]
        for window in batch:
            assert any(a <= window[0] and window[-1] < b for a, b in SEGMENTS)


def test_half_of_the_batches_are_as_long_as_can_be_and_the_rest_uniform() -> None:
    lengths = np.array([windows().batch(0, step).shape[1] for step in range(2000)])
    assert 0.46 < (lengths == 100).mean() < 0.55  # 0.5 + 0.5 / 81
    shorter = lengths[lengths < 100]
    assert set(shorter) == set(range(20, 100))
    assert abs(shorter.mean() - 59.5) < 3
    assert {windows(fixed_share=1).batch(0, step).shape[1] for step in range(50)} == {100}


def test_every_place_is_equally_likely() -> None:
    drawn = windows(fixed_share=1, batch_tokens=100_000)
    starts = np.concatenate([drawn.batch(0, step)[:, 0] for step in range(20)])
    places = np.concatenate([np.arange(0, 201), np.arange(305, 901)])
    assert set(starts.tolist()) == set(places.tolist())
    assert abs((starts < 300).mean() - 201 / len(places)) < 0.02


def one_pass(lengths: np.ndarray, length: int, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find places by counting those of every stretch."""
    places = np.maximum(0, lengths - length + 1)
    ends = np.cumsum(places)
    stretch = np.searchsorted(ends, numbers, side="right")
    return stretch, numbers - (ends[stretch] - places[stretch])


@pytest.mark.parametrize("n", [1, 255, 256, 257, 3000])
def test_places_equal_those_of_one_pass_over_all_stretches(n: int) -> None:
    rng = np.random.default_rng(n)
    lengths = rng.integers(0, 60, n)
    lengths[-1] = 90
    places = WindowPlaces(lengths, 7, 50)
    for length in (7, 20, 49, 50):
        total = int(np.maximum(0, lengths - length + 1).sum())
        assert places.count(length) == total
        numbers = np.unique(np.append(np.arange(0, total, 1 + total // 2000), [total // 2, total - 1]))
        for found, expected in zip(places.find(numbers, length), one_pass(lengths, length, numbers), strict=True):
            assert np.array_equal(found, expected)


def test_batches_are_the_same_as_ever() -> None:
    """The draws of a seed are part of every result: this digest is of batches drawn by one pass over all segments."""
    rng = np.random.default_rng(7)
    lengths = rng.integers(1, 1200, 5000)
    ends = np.cumsum(lengths)
    ids = (np.arange(ends[-1]) % 601).astype(np.uint16)
    drawn = TokenWindows(ids, np.stack([ends - lengths, ends], axis=1), seed=5)
    digest = hashlib.sha256()
    for step in range(100):
        digest.update(drawn.batch(2, step).tobytes())
    assert digest.hexdigest()[:16] == "dd57d84e7b99d18a"


def test_the_time_for_a_batch_does_not_grow_with_the_number_of_segments() -> None:
    def seconds(n: int) -> float:
        starts = np.arange(n) * 600
        ids = np.broadcast_to(np.uint16(5), n * 600)
        drawn = TokenWindows(ids, np.stack([starts, starts + 550], axis=1))
        times = []
        for step in range(40):
            begin = time.process_time()
            drawn.batch(0, step)
            times.append(time.process_time() - begin)
        return float(np.median(times))

    seconds(10)
    assert seconds(500_000) < 4 * seconds(500)


def test_longer_than_the_sequence_is_cut_to_it() -> None:
    assert windows(max_tokens=5000, fixed_share=1).batch(0, 0).shape == (1, 695)
    assert windows().total_tokens == 995
    assert windows().steps_per_epoch == 2


def test_tiles() -> None:
    tiles = windows().tiles(100)
    assert tiles[:, 0].tolist() == [0, 100, 200, 305, 405, 505, 605, 705, 805]
    assert windows().tiles(100, most=2)[:, 0].tolist() == [0, 805]
    with pytest.raises(ConfigError, match="no stretch"):
        windows().tiles(2000)


@pytest.mark.parametrize(
    "changes", [{"min_tokens": 0}, {"min_tokens": 200}, {"fixed_share": 1.5}, {"batch_tokens": 0}]
)
def test_refuses_settings_that_make_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        windows(**changes)


def test_refuses_sequence_that_is_too_short() -> None:
    with pytest.raises(DataError, match="long enough"):
        windows(min_tokens=800, max_tokens=900)


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    (tmp_path / "g.fa").write_text(">one\nNNACGTNNNACG\n>two\nacgtAC\n>three\nNNN\n")
    return Genome.open(tmp_path / "g.fa")


def test_encode_genome_leaves_n_out(genome: Genome) -> None:
    encoded = encode_genome(genome, CharacterTokenizer())
    assert CharacterTokenizer().decode(encoded.ids) == "ACGTACGACGTAC"
    assert encoded.segments.tolist() == [[0, 4], [4, 7], [7, 13]]
    assert (encoded.bases, encoded.unknown) == (13, 8)
    assert encoded.bases_per_token == 1


def test_encode_genome_with_overlapping_words(genome: Genome) -> None:
    encoded = encode_genome(genome, KmerTokenizer(3))
    assert [KmerTokenizer(3).vocab[i] for i in encoded.ids] == ["ACG", "CGT", "ACG", "ACG", "CGT", "GTA", "TAC"]
    assert encoded.segments.tolist() == [[0, 2], [2, 3], [3, 7]]
    assert encoded.bases == 13


def test_encode_parts_of_a_genome(genome: Genome) -> None:
    encoded = encode_genome(genome, CharacterTokenizer(), [Interval("two", 1, 4), Interval("one", 0, 4)])
    assert CharacterTokenizer().decode(encoded.ids) == "CGTAC"
    assert encoded.segments.tolist() == [[0, 3], [3, 5]]
    with pytest.raises(DataError, match="no known sequence"):
        encode_genome(genome, CharacterTokenizer(), [Interval("three", 0, 3)])
    with pytest.raises(DataError):
        encode_genome(genome, CharacterTokenizer(), [Interval("two", 0, 7)])


@pytest.mark.parametrize("kind", ["characters", "kmers", "bpe"])
def test_the_other_strand_is_what_a_file_of_it_would_give(kind: str, tmp_path: Path) -> None:
    letters = "".join(np.random.default_rng(1).choice(list("ACGT"), 300)) + "NN" + "GATTACACGG" * 20
    pairs = train_bpe([letters.encode()], 12).tokenizer
    tokenizer = {"characters": CharacterTokenizer(), "kmers": KmerTokenizer(3), "bpe": pairs}[kind]
    other = letters[::-1].translate(str.maketrans("ACGTN", "TGCAN"))
    for name, text in (("plus", letters), ("minus", other)):
        (tmp_path / name).write_text(f">c\n{text}\n")
    repeats = np.array([[10, 40], [290, 311], [480, 502]])
    mirrored = np.sort(len(letters) - repeats)[::-1]
    plus, minus = (Genome.open(tmp_path / name) for name in ("plus", "minus"))
    got = encode_genome(plus, tokenizer, [Interval("c", 5, 480, "-")], Repeats({"c": repeats}))
    there = Interval("c", len(letters) - 480, len(letters) - 5)
    want = encode_genome(minus, tokenizer, [there], Repeats({"c": mirrored}))
    assert np.array_equal(got.ids, want.ids)
    assert np.array_equal(got.segments, want.segments)
    assert (got.bases, got.unknown) == (want.bases, want.unknown)
    assert got.repeat_share is not None
    assert np.array_equal(got.repeat_share, want.repeat_share)
    assert 0 < got.repeat_share.mean() < 1


def test_bases_per_token_are_estimated_from_known_letters(tmp_path: Path) -> None:
    file = tmp_path / "g.fa"
    file.write_text(">c\n" + "N" * 300_000 + "\n" + "ACG" * 30_000 + "\n")  # as chromosomes begin
    genome = Genome.open(file)
    whole = [Interval("c", 0, 390_000)]
    assert estimate_bases_per_token(genome, KmerTokenizer(3, overlap=False), whole) == pytest.approx(3, rel=0.02)
    assert estimate_bases_per_token(genome, CharacterTokenizer(), whole) == 1
    assert estimate_bases_per_token(genome, CharacterTokenizer(), [Interval("c", 0, 100)]) == 1
