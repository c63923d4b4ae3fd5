"""Padding and batches by length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import ConfigError, DataError
from lingome.models.reading.batching import collate, length_batches
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()


def test_rows_by_hand() -> None:
    rows = [np.array([5, 6, 7], dtype=np.uint16), np.array([], dtype=np.uint16), np.array([8], dtype=np.uint16)]
    input_ids, attention_mask = collate(rows, TOKENIZER, max_tokens=5)
    assert input_ids.tolist() == [[2, 5, 6, 7, 3], [2, 3, 0, 0, 0], [2, 8, 3, 0, 0]]
    assert attention_mask.tolist() == [[True] * 5, [True] * 2 + [False] * 3, [True] * 3 + [False] * 2]


def test_too_long_a_row() -> None:
    rows = [np.array([5]), np.array([5, 6, 7, 8])]
    with pytest.raises(DataError, match=r"(?s)sequence 2 of 2.*4 tokens.*at most 3"):
        collate(rows, TOKENIZER, max_tokens=5)
    assert collate(rows, TOKENIZER, max_tokens=5, too_long="truncate")[0].tolist() == [[2, 5, 3, 0, 0], [2, 5, 6, 7, 3]]


def test_nothing_to_collate() -> None:
    with pytest.raises(DataError, match="no sequences"):
        collate([], TOKENIZER, max_tokens=5)
    with pytest.raises(ConfigError, match="max_tokens"):
        collate([np.array([5])], TOKENIZER, max_tokens=2)


@given(st.lists(st.integers(0, 600), max_size=60), st.integers(1, 2000))
def test_every_index_once_and_within_the_limit(lengths: list[int], batch_tokens: int) -> None:
    batches = length_batches(lengths, batch_tokens)
    indices = [int(index) for batch in batches for index in batch]
    assert sorted(indices) == list(range(len(lengths)))
    ordered = [lengths[index] for index in indices]
    assert ordered == sorted(lengths, reverse=True)
    for batch in batches:
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= batch_tokens


def test_batches_need_room() -> None:
    with pytest.raises(ConfigError, match="batch_tokens"):
        length_batches([3], 0)
