"""Baselines find what they can find, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from lingome.core.errors import DataError
from lingome.data.examples import Examples
from lingome.evaluate.baselines.classifiers import fit_baselines
from lingome.evaluate.baselines.features import base_codes, gc_share, kmer_counts, kmer_ids, token_counts
from lingome.evaluate.measures.scores import score_table
from lingome.tokens.kmers import KmerTokenizer


def _task(planted: bool, n: int = 240, n_classes: int = 2) -> Examples:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, n_classes, n)
    words = ["TATAAT", "GCGGCC", "CAGCTG"]
    sequences = []
    for label in labels:
        row = "".join("ACGT"[code] for code in rng.integers(0, 4, 80))
        sequences.append(row[:40] + words[label] * 2 + row[40:] if planted else row)
    splits = np.array(["train"] * (n // 2) + ["valid"] * (n // 4) + ["test"] * (n - n // 2 - n // 4), dtype=object)
    score = labels + rng.normal(size=n) * 0.1
    names = tuple(str(c) for c in range(n_classes))
    return Examples(sequences, labels, splits, [str(i) for i in range(n)], None, names, {"motif score": score})


def test_counts_by_hand() -> None:
    counts = kmer_counts(["ACGAC", "NNACN"], ks=(1, 2)).toarray()
    # A C G T, then AA AC AG AT CA CC CG CT GA ...
    assert counts[0].tolist() == [2, 2, 1, 0, 0, 2, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert counts[1].tolist() == [1, 1, 0, 0, 0, 1] + [0] * 14
    assert kmer_ids(base_codes("ACGNT"), 2).tolist() == [1, 6, -1, -1]
    assert gc_share(["GGCA", "NNNN", "AT"]).tolist() == [0.75, 0.5, 0.0]


def test_token_counts_leave_special_tokens_out() -> None:
    tokenizer = KmerTokenizer(1, overlap=False)
    counts = token_counts(["AACN", "G"], tokenizer)
    letters = list(tokenizer.vocab[5:])
    by_letter = dict(zip(letters, counts.toarray()[0], strict=True))
    assert by_letter["A"] == 2
    assert by_letter["C"] == 1
    assert counts.sum() == 4


def test_planted_words_are_found_and_the_order_is_as_said() -> None:
    found = fit_baselines(_task(True), KmerTokenizer(3, overlap=False), seeds=(0, 1), n_trees=20)
    assert [one.name.split(",")[0] for one in found] == [
        "majority class", "motif score alone", "GC content", "TF-IDF 3- to 6-mers", "TF-IDF 3- to 6-mers",
        "TF-IDF kmers tokens", "TF-IDF kmers tokens",
    ]
    rows = {row["name"]: row for row in score_table(found, n_resamples=100).scores}
    assert rows["majority class"]["mcc"] == 0
    assert rows["motif score alone"]["auroc"] > 0.99
    assert rows["TF-IDF 3- to 6-mers, logistic regression"]["auroc"] > 0.95
    assert rows["TF-IDF 3- to 6-mers, random forest"]["auroc"] > 0.9
    assert rows["TF-IDF 3- to 6-mers, random forest"]["seeds"] == 2


def test_nothing_is_found_in_random_sequence() -> None:
    rows = score_table(fit_baselines(_task(False), seeds=(0,), n_trees=20), n_resamples=200).scores
    for row in rows:
        if row["name"] != "motif score alone":
            assert row["auroc_low"] <= 0.5 <= row["auroc_high"], row["name"]


def test_three_classes() -> None:
    found = fit_baselines(_task(True, 300, 3), seeds=(0,), n_trees=30)
    assert found[0].probabilities.shape == (1, 75, 3)
    rows = {row["name"]: row for row in score_table(found, n_resamples=100).scores}
    assert rows["TF-IDF 3- to 6-mers, logistic regression"]["mcc"] > 0.8
    assert rows["majority class"]["n_positive"] is None


def test_same_seed_same_probabilities() -> None:
    first, second = (fit_baselines(_task(True), seeds=(3,), n_trees=10) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert one.threshold == other.threshold


def test_missing_splits_and_classes_are_explained() -> None:
    task = _task(True)
    with pytest.raises(DataError, match="no labelled test items"):
        fit_baselines(task.with_splits(np.full(len(task), "train", dtype=object)))
    same = Examples(task.sequences, np.ones(len(task), np.int64), task.splits, task.ids)
    with pytest.raises(DataError, match="all of one class"):
        fit_baselines(same)
