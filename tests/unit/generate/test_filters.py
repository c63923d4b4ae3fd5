"""Repetition and low complexity, worked by hand."""

from __future__ import annotations

import random

import pytest

from lingome.core.errors import ConfigError
from lingome.generate.filters import Filters, longest_run, low_complexity_share, repeated_share


def test_repeats_worked_by_hand():
    """ACGTACGT, k = 4: ACGT CGTA GTAC TACG ACGT, one of five seen before."""
    assert repeated_share("ACGTACGT", k=4) == pytest.approx(1 / 5)
    assert repeated_share("ACG", k=4) == 0
    assert repeated_share("AC" * 50) == pytest.approx(1 - 2 / 89)


def test_dust_worked_by_hand():
    """AAAAAAA has 5 equal triplets: 10 pairs / 4 = 2.5, above 2; 4 of them: 6 / 3 = 2, which is not."""
    assert low_complexity_share("AAAAAAA") == 1
    assert low_complexity_share("AAAAAA") == 0
    assert low_complexity_share("AAAAAAA", threshold=2.5) == 0


def test_low_windows_are_found_where_they_are():
    letters = random.Random(0)
    plain = "".join(letters.choice("ACGT") for _ in range(300))
    assert low_complexity_share(plain) == 0
    share = low_complexity_share(plain + "CA" * 50 + plain)
    assert 100 / 700 <= share <= 200 / 700  # the repeat, and at most what windows over its edges reach

    def brute(text: str) -> float:
        low = set()
        for start in range(len(text) - 63):
            triplets = [text[i : i + 3] for i in range(start, start + 62)]
            score = sum(n * (n - 1) / 2 for n in map(triplets.count, set(triplets))) / 61
            low |= set(range(start, start + 64)) if score > 2 else set()
        return len(low) / len(text)

    mixed = plain[:90] + "CAG" * 20 + plain[90:150] + "T" * 15 + plain[150:]
    assert low_complexity_share(mixed) == pytest.approx(brute(mixed))


def test_runs():
    assert [longest_run(text) for text in ("", "A", "ACGT", "AACCCA")] == [0, 1, 1, 3]


def test_the_first_broken_limit_is_named():
    filters = Filters(max_repeated=0.5, max_low_complexity=0.5, max_run=6)
    assert filters.complaint("A" * 50) == "max_run"
    assert filters.complaint("AC" * 50) == "max_repeated"
    assert Filters(max_low_complexity=0.5).complaint("AC" * 50) == "max_low_complexity"
    assert filters.complaint("ACGTTGCATCGA") is None
    for wrong in ({"max_repeated": 1.5}, {"max_low_complexity": -0.1}, {"max_run": 0}):
        with pytest.raises(ConfigError):
            Filters(**wrong)
