from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from lingome.explain.vocabulary import VOCABULARY_COLUMNS, count_tokens, length_table, summarize, vocabulary_table
from lingome.tokens.bpe import train_bpe
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import as_codes

TRAINING = train_bpe([as_codes("TTTTGCTTGC")], 2)  # TT (4 overlapping), then GC (2)


def rows() -> list[dict[str, object]]:
    ids = TRAINING.tokenizer.encode("TTTTGCTTGCA").input_ids  # TT TT GC TT GC A
    counts = count_tokens([ids[:2], ids[2:]], TRAINING.tokenizer.vocab_size)
    return vocabulary_table(TRAINING.tokenizer, counts, TRAINING.merges)


def test_rows_by_hand() -> None:
    table = {row["token"]: row for row in rows()}
    assert list(table) == ["A", "C", "G", "T", "TT", "GC"]
    assert all(tuple(row) == VOCABULARY_COLUMNS for row in table.values())
    assert table["TT"] == {
        "id": 9, "token": "TT", "length_bp": 2, "count": 3, "frequency": 0.5, "gc": 0.0, "rank": 1, "left": "T",
        "right": "T", "pair_count": 4, "margin": 2,
    }
    assert table["GC"]["gc"] == 1.0
    assert (table["A"]["count"], table["A"]["rank"], table["A"]["left"], table["A"]["margin"]) == (1, None, None, None)


def test_lengths_by_hand() -> None:
    assert length_table(rows()) == [
        {"length_bp": 1, "tokens": 4, "used": 1, "count": 1, "share": pytest.approx(1 / 6)},
        {"length_bp": 2, "tokens": 2, "used": 2, "count": 5, "share": pytest.approx(5 / 6)},
    ]
    bare = length_table(vocabulary_table(KmerTokenizer(2, overlap=False)))
    assert bare == [
        {"length_bp": 1, "tokens": 4, "used": None, "count": None, "share": None},
        {"length_bp": 2, "tokens": 16, "used": None, "count": None, "share": None},
    ]


def test_summary_by_hand() -> None:
    found = summarize(rows())
    assert found["tokens"] == 6
    assert found["used"] == 3
    assert found["mean_length_bp"] == pytest.approx(8 / 6)
    assert found["bases_per_token"] == pytest.approx(11 / 6)
    assert found["median_count"] == 0.5
    # 1/2, 1/3, 1/6
    assert found["entropy_bits"] == pytest.approx(0.5 + np.log2(3) / 3 + np.log2(6) / 6)
    assert found["frequency_length_correlation"] == pytest.approx(np.corrcoef(np.log([1, 3, 2]), [1, 2, 2])[0, 1])
    assert set(summarize(vocabulary_table(KmerTokenizer(2)))) == {"tokens", "mean_length_bp", "longest_bp"}


def test_a_vocabulary_that_nothing_uses() -> None:
    tokenizer = TRAINING.tokenizer
    table = vocabulary_table(tokenizer, np.zeros(tokenizer.vocab_size, dtype=np.int64))
    assert summarize(table)["used"] == 0
    assert {row["frequency"] for row in table} == {0.0}


def test_counting_a_chromosome_takes_no_second_copy_of_it() -> None:
    ids = np.arange(10_000_000, dtype=np.uint32).astype(np.uint16)  # np.bincount alone: 8 bytes a token
    tracemalloc.start()
    try:
        counts = count_tokens([ids[:0], ids], 1 << 16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(counts, np.bincount(ids, minlength=1 << 16))
    assert peak < 5 * len(ids)
