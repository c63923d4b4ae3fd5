"""The rule that recommends a vocabulary, and its reasons."""

from __future__ import annotations

from typing import Any

from lingome.evaluate.vocabulary.recommendation import pick_vocabulary, reasons


def _row(name: str, size: int, mean: float, behind: float, low: float, merges: int | None = None) -> dict[str, Any]:
    return {
        "vocabulary": name, "vocab_size": size, "merges": merges, "mean_accuracy": mean, "mean_low": mean - 0.02,
        "mean_high": mean + 0.02, "behind": behind, "behind_low": low, "behind_high": behind + 0.01,
        "bits_per_base": 2 - mean, "bits_behind": behind, "bits_behind_low": low, "bits_behind_high": behind + 0.01,
        "k": 2, "accuracy": mean, "baseline": 0.3, "n": 1000, "seeds": 1,
    }


ROWS = [
    _row("characters", 9, 0.10, 0.10, 0.05, 0), _row("BPE-100", 109, 0.18, 0.02, -0.01, 100),
    _row("BPE-600", 609, 0.20, 0.0, 0.0, 600), _row("6-mers", 4105, 0.15, 0.05, 0.02),
]
SIGNALS = [
    {"vocabulary": name, "bits_per_base": bits, "bits_behind": bits - 1.8, "bits_behind_low": bits - 1.81,
     "bits_behind_high": bits - 1.79, "bases_per_token": length, "markov_bits_per_base": 1.79}
    for name, bits, length in (
        ("characters", 1.9, 1.0), ("BPE-100", 1.85, 3.0), ("BPE-600", 1.8, 4.1), ("6-mers", 1.88, 6.0))
]


def test_the_smallest_that_cannot_be_told_from_the_best() -> None:
    pick = pick_vocabulary(ROWS)
    assert pick == ("BPE-100", "BPE-600", ["BPE-100", "BPE-600"])
    text = {row["topic"]: row["text"] for row in reasons(pick, ROWS, SIGNALS)}
    assert text["recommended"] == (
        "Take BPE-100 (109 tokens): the smallest of 2 vocabularies that do as well as the best, BPE-600.")
    assert "BPE-100 is behind by 2.00 points (-1.00 to 3.00), paired. 2 of 4" in text["accuracy"]
    assert "0.0500 more (0.0400 to 0.0600): the two signals disagree" in text["cheap signals"]
    assert "0.60 times the accuracy of a Markov model" in text["baselines"]
    assert "better for k = 2" in text["baselines"]
    assert "--seeds 3" in text["seeds"]
    assert "purpose" not in text


def test_a_clear_winner_and_no_winner_are_said() -> None:
    clear = [ROWS[0], ROWS[2], ROWS[3]]
    pick = pick_vocabulary(clear)
    assert pick.chosen == "BPE-600"
    said = reasons(pick, clear, SIGNALS)
    assert "every other vocabulary is behind it" in said[0]["text"]
    assert any(row["text"].endswith("This agrees.") for row in said)
    level = [{**row, "behind_low": -0.01} for row in ROWS]
    pick = pick_vocabulary(level)
    assert pick.chosen == "characters"
    assert "no vocabulary stands out, all 4 do as well" in reasons(pick, level, SIGNALS)[0]["text"]


def test_causal_models_get_no_byte_pairs() -> None:
    assert pick_vocabulary(ROWS, "causal").chosen == "6-mers"
    pick = pick_vocabulary(ROWS[:3], "causal")
    assert pick.chosen == "characters"
    said = reasons(pick, ROWS[:3], SIGNALS, warning="byte pairs suit masked models")
    assert "because the model is to be causal" in said[0]["text"]
    assert said[1]["text"] == "Byte pairs suit masked models"


def test_what_pretraining_adds_is_said() -> None:
    control = {"vocabulary": "BPE-100", "accuracy": 0.18, "random_weights": 0.2, "gain": -0.02, "gain_low": -0.03,
               "gain_high": -0.01}
    said = reasons(pick_vocabulary(ROWS), ROWS, SIGNALS, [control])
    text = next(row["text"] for row in said if row["topic"] == "pre-training")
    assert "18.00% with pre-training and 20.00% from random weights" in text
    assert text.endswith("less than from random weights, beyond chance.")
