"""Planted leaks are found, and a clean split is clean."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from lingome.data.examples import Examples
from lingome.data.interval import Interval
from lingome.data.readers.tables import read_examples
from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.leaks.leakage import canonical_kmers, check_leaks, leak_warnings, nearest_gap

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def _random(n: int, length_bp: int = 120, seed: int = 0) -> list[str]:
    letters = np.random.default_rng(seed).integers(0, 4, (n, length_bp))
    return ["".join("ACGT"[code] for code in row) for row in letters]


def _examples(train: list[str], test: list[str], intervals: list[Interval] | None = None) -> Examples:
    n = len(train) + len(test)
    splits = np.array(["train"] * len(train) + ["test"] * len(test), dtype=object)
    return Examples([*train, *test], np.zeros(n, np.int64), splits, [str(i) for i in range(n)], intervals)


def _counts(examples: Examples) -> dict[str, tuple[int, str]]:
    return {row.check: (row.n, row.verdict) for row in check_leaks(examples)}


def test_a_clean_split_is_clean() -> None:
    sequences = _random(300)
    assert set(_counts(_examples(sequences[:200], sequences[200:])).values()) == {(0, "ok")}
    assert leak_warnings(check_leaks(_examples(sequences[:200], sequences[200:]))) == []


def test_planted_leaks_are_told_apart() -> None:
    sequences = _random(300)
    train, test = sequences[:200], sequences[200:]
    test[0] = train[5]
    test[1] = train[6].translate(COMPLEMENT)[::-1]
    test[2] = train[7][:80] + test[2][80:]  # 60 of 100 21-mers are the same
    test[3] = train[8][:60] + test[3][60:]  # 40 of 100: too few
    test[4] = (test[4][:30] + train[9][30:]).translate(COMPLEMENT)[::-1]  # 70 of 100, other strand
    assert _counts(_examples(train, test)) == {
        "exact copies": (1, "warn"), "reverse-complement copies": (1, "warn"), "near duplicates": (2, "warn"),
    }


@pytest.mark.parametrize(("length_bp", "shared_bp", "found"), [(60, 39, 0), (60, 40, 1), (61, 40, 0), (61, 41, 1)])
def test_half_of_the_21_mers_is_the_line(length_bp: int, shared_bp: int, found: int) -> None:
    # 60 bases hold 40 words of 21, and their first 40 bases hold 20 of them, exactly half;
    # of 61 bases (41 words) the first 40 hold too few. No other word length draws this line.
    train, test = _random(50, length_bp), _random(50, length_bp, seed=1)
    test[0] = train[0][:shared_bp] + test[0][shared_bp:]
    while test[0][shared_bp] == train[0][shared_bp]:  # the stretch must end where it is said to end
        test[0] = test[0][:shared_bp] + "ACGT"["ACGT".index(test[0][shared_bp]) - 1] + test[0][shared_bp + 1 :]
    assert _counts(_examples(train, test))["near duplicates"][0] == found


def test_five_percent_of_copies_fail() -> None:
    sequences = _random(120)
    train, test = sequences[:100], sequences[100:]
    test[0] = train[0]
    assert _counts(_examples(train, test))["exact copies"] == (1, "fail")
    assert leak_warnings(check_leaks(_examples(train, test)))[0].level == "fail"


def test_sequences_shorter_than_a_word_and_repeats_do_no_harm() -> None:
    rows = _counts(_examples(["ACGT", "A" * 50], ["ACGT", "A" * 60, "N" * 40]))
    assert rows["exact copies"][0] == 1
    assert rows["near duplicates"][0] == 1


def test_canonical_words_are_the_same_on_both_strands() -> None:
    sequence = _random(1, 90, seed=3)[0]
    other = sequence.translate(COMPLEMENT)[::-1]
    own = canonical_kmers(base_codes(sequence), 21)
    assert len(own) == 70
    np.testing.assert_array_equal(own, canonical_kmers(base_codes(other), 21)[::-1])
    # ACG = 6 and CGT = 27 in base 4: the smaller stands for both
    assert canonical_kmers(base_codes("ACGTN"), 3).tolist() == [6, 6, -1]


def test_gaps_by_hand() -> None:
    first = [Interval("1", 100, 200), Interval("1", 120, 400), Interval("1", 900, 950)]
    second = [Interval("1", 300, 310), Interval("1", 400, 410), Interval("1", 500, 600), Interval("2", 0, 9)]
    assert nearest_gap(first, second).tolist() == [-1, 0, 100, np.inf]


def test_overlapping_and_close_windows() -> None:
    sequences = _random(4)
    places = [Interval("1", 0, 120), Interval("1", 120, 240), Interval("1", 230, 350), Interval("1", 400, 520)]
    rows = {row.check: row for row in check_leaks(_examples(sequences[:2], sequences[2:], places))}
    assert rows["overlapping windows"].n == 1
    assert rows["distance"].n == 0
    places[3] = Interval("1", 359, 479)
    rows = {row.check: row for row in check_leaks(_examples(sequences[:2], sequences[2:], places))}
    assert (rows["distance"].n, rows["distance"].verdict) == (1, "warn")


def test_published_copies_in_gue_core_promoters(data_dir: Path) -> None:
    # The data's README counts identical sequences: 54 train-dev, 42 train-test, 8 dev-test.
    rows = check_leaks(read_examples(data_dir / "seqtasks" / "gue" / "prom" / "prom_core_all"))
    exact = {row.pair: row.what for row in rows if row.check == "exact copies"}
    assert "(54 distinct)" in exact["train-valid"]
    assert "(42 distinct)" in exact["train-test"]
    assert "(8 distinct)" in exact["valid-test"]


def test_ten_thousand_windows_are_quick() -> None:
    sequences = _random(10_000, 250, seed=9)
    started = time.process_time()
    check_leaks(_examples(sequences[:8000], sequences[8000:]))
    assert time.process_time() - started < 3.0


@pytest.mark.parametrize("k", [1, 2, 3, 20, 21, 31])
def test_canonical_words_of_any_length(k: int) -> None:
    sequence = _random(1, 60, seed=k)[0]
    codes = {"A": 0, "C": 1, "G": 2, "T": 3}
    expected = []
    for start in range(60 - k + 1):
        word = sequence[start : start + k]
        both = []
        for text in (word, word.translate(COMPLEMENT)[::-1]):
            value = 0
            for letter in text:
                value = value * 4 + codes[letter]
            both.append(value)
        expected.append(min(both))
    assert canonical_kmers(base_codes(sequence), k).tolist() == expected
