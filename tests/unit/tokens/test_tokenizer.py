from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.tokenizer import Encodings, as_codes, join_codes

TOKENIZER = BpeTokenizer([(8, 8), (5, 9)])  # TT, then A + TT
SEQUENCES = ["GATTTNA", "", "tt", "CATT"]


def as_lists(encodings: object) -> list[tuple[list[int], list[int]]]:
    assert isinstance(encodings, (Encodings, list))
    return [(encoding.input_ids.tolist(), encoding.offsets.tolist()) for encoding in encodings]


def test_a_batch_by_hand() -> None:
    encodings = TOKENIZER.encode_batch(SEQUENCES)
    assert isinstance(encodings, Encodings)
    assert as_lists(encodings) == [
        ([7, 10, 8, 1, 5], [0, 1, 4, 5, 6, 7]), ([], [0]), ([9], [0, 2]), ([6, 10], [0, 1, 4])
    ]
    assert encodings.input_ids.tolist() == [7, 10, 8, 1, 5, 9, 6, 10]
    assert encodings.cuts.tolist() == [0, 5, 5, 6, 8]
    assert encodings.starts.tolist() == [0, 7, 7, 9, 13]
    assert encodings.borders.tolist() == [0, 1, 4, 5, 6, 7, 9, 10, 13]
    assert encodings.n_tokens.tolist() == [5, 0, 1, 2]


def test_a_batch_is_a_sequence() -> None:
    encodings = TOKENIZER.encode_batch(SEQUENCES)
    listed = as_lists(encodings)
    assert len(encodings) == 4
    assert as_lists([encodings[i] for i in range(-4, 4)]) == listed + listed
    for part in (slice(1, 3), slice(None, None, -1), slice(-2, None), slice(5, 9)):
        assert as_lists(encodings[part]) == listed[part]
    for outside in (4, -5):
        with pytest.raises(IndexError):
            encodings[outside]


def test_borders_are_not_made_when_nobody_asks() -> None:
    encodings = TOKENIZER.encode_batch(SEQUENCES)
    assert isinstance(encodings, Encodings)
    assert "borders" not in vars(encodings)
    assert len(encodings[0].offsets) == 6
    assert "borders" in vars(encodings)


text = st.text("ACGTNacgt-é€🧬", max_size=20)


@given(sequences=st.lists(text, max_size=6), kinds=st.lists(st.sampled_from([str, bytes, np.ndarray]), min_size=6))
def test_sequences_of_any_type_join_to_one_code_a_letter(sequences: list[str], kinds: list[type]) -> None:
    """Letters beyond Latin-1 stay one unknown letter each, alone or among bytes and arrays."""
    given_as = []
    for sequence, kind in zip(sequences, kinds, strict=False):
        codes = sequence.encode("latin-1", "replace")
        given_as.append({str: sequence, bytes: codes}.get(kind, np.frombuffer(codes, dtype=np.uint8)))
    bases, starts = join_codes(given_as)
    assert starts.tolist() == np.cumsum([0, *map(len, sequences)]).tolist()
    assert bases.tolist() == [code for sequence in sequences for code in as_codes(sequence).tolist()]


def test_tokens_of_bases_and_back() -> None:
    encoding = TOKENIZER.encode("GATTTNA")
    assert encoding.token_at(np.arange(7)).tolist() == [0, 1, 1, 1, 2, 3, 4]
    assert encoding.token_at(3) == 1
    first, last = encoding.offsets[1], encoding.offsets[2]
    assert "GATTTNA"[first:last] == "ATT"
    for outside in (-1, 7, np.array([0, 9])):
        with pytest.raises(DataError, match="no token owns"):
            encoding.token_at(outside)
