"""Every tokenizer keeps the same promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.tokens.alphabet import DNA
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.published.build import build_published
from lingome.tokens.published.gpt2 import vocabulary_of_ranks
from lingome.tokens.published.sequence import PublishedBpe
from lingome.tokens.saved import KINDS
from lingome.tokens.tokenizer import Tokenizer, as_codes

ROLES = {"unk": "<unk>", "pad": "<pad>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
OF_SEQUENCE: dict[str, Tokenizer] = {
    "characters": CharacterTokenizer(),
    "bpe": train_bpe([as_codes("GATTACATTTAGGGCACACAAAAACG" * 5)], 25).tokenizer,
    "overlapping 3-mers": KmerTokenizer(3),
    "3-mers side by side": KmerTokenizer(3, overlap=False),
    "Nucleotide Transformer": KmerTokenizer(6, overlap=False, layout="nucleotide-transformer"),
    "HyenaDNA": CharacterTokenizer(layout="hyenadna"),
    "ESM": CharacterTokenizer(layout="esm"),
    "published": PublishedBpe(
        ["AC", *ROLES.values(), "T", "G", "C", "A", "GAC", "CC"], [("A", "C"), ("G", "AC"), ("GA", "C")], ROLES
    ),
}
OF_TEXT: dict[str, Tokenizer] = {
    "text": build_published(
        vocabulary_of_ranks({**{bytes([b]): b for b in range(256)}, b"AC": 256, b"GT": 257, b"ACGT": 258})
    ),
}
TOKENIZERS = OF_SEQUENCE | OF_TEXT
of_sequence = pytest.mark.parametrize("tokenizer", OF_SEQUENCE.values(), ids=OF_SEQUENCE.keys())
every = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS.keys())
text = st.text("ACGTNacgtn-é", max_size=60)


def test_every_kind_is_here() -> None:
    # SentencePiece is optional, and keeps fewer promises: tests/unit/tokens/published/test_sentencepiece.py
    assert {tokenizer.kind for tokenizer in TOKENIZERS.values()} == set(KINDS) - {"sentencepiece"}


@every
@settings(max_examples=60, deadline=None)
@given(sequence=text)
def test_offsets_tile_the_sequence(tokenizer: Tokenizer, sequence: str) -> None:
    ids, offsets = tokenizer.encode(sequence)
    assert offsets.dtype == np.int64
    assert len(offsets) == len(ids) + 1
    assert (offsets[0], offsets[-1]) == (0, len(sequence.encode() if tokenizer.kind == "text" else sequence))
    assert (np.diff(offsets) > 0).all()
    assert ids.dtype == tokenizer.ids_dtype
    assert (ids < tokenizer.vocab_size).all()


@every
@settings(max_examples=60, deadline=None)
@given(sequence=st.text("ACGT", min_size=6, max_size=60))
def test_decoding_gives_the_sequence_back(tokenizer: Tokenizer, sequence: str) -> None:
    ids = tokenizer.encode(sequence).input_ids
    assert tokenizer.decode(ids) == sequence
    assert tokenizer.decode([tokenizer.cls_id, *ids.tolist(), tokenizer.sep_id, tokenizer.pad_id]) == sequence
    assert not (ids == tokenizer.unk_id).any()


@every
@settings(max_examples=40, deadline=None)
@given(sequences=st.lists(text, max_size=6))
def test_a_batch_is_its_members_alone(tokenizer: Tokenizer, sequences: list[str]) -> None:
    for sequence, encoding in zip(sequences, tokenizer.encode_batch(sequences), strict=True):
        alone = tokenizer.encode(sequence)
        assert np.array_equal(alone.input_ids, encoding.input_ids)
        assert np.array_equal(alone.offsets, encoding.offsets)


@of_sequence
def test_case_and_type_do_not_matter(tokenizer: Tokenizer) -> None:
    expected = tokenizer.encode("ACGTTGCANACGTAC").input_ids.tolist()
    for same in ("acgttgcanacgtac", b"ACGTtgcaNACGTAC", np.frombuffer(b"ACGTTGCANACGTAC", dtype=np.uint8)):
        assert tokenizer.encode(same).input_ids.tolist() == expected


@of_sequence
def test_n_is_one_unknown_token_of_one_base(tokenizer: Tokenizer) -> None:
    ids, offsets = tokenizer.encode("NNN" if tokenizer.alphabet is DNA else "***")
    assert (ids == tokenizer.unk_id).all()
    if not (isinstance(tokenizer, KmerTokenizer) and tokenizer.overlap):  # there, one word covers all three
        assert offsets.tolist() == [0, 1, 2, 3]


@of_sequence
def test_special_tokens_are_five_and_have_no_length(tokenizer: Tokenizer) -> None:
    special = [tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id]
    assert len(set(special)) == 5
    assert set(special) <= set(tokenizer.special_ids.tolist())
    assert (tokenizer.token_lengths[tokenizer.special_ids] == 0).all()
    assert (tokenizer.token_lengths > 0).sum() == tokenizer.vocab_size - len(tokenizer.special_ids)
    assert len(set(tokenizer.vocab)) == tokenizer.vocab_size == len(tokenizer.token_lengths)


@every
def test_saved_and_loaded_is_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert type(again) is type(tokenizer)
    assert (again.vocab, again.digest, again.settings()) == (tokenizer.vocab, tokenizer.digest, tokenizer.settings())
    sequence = "GATTACANNACGTTTAGGGACA"
    assert again.encode(sequence).input_ids.tolist() == tokenizer.encode(sequence).input_ids.tolist()
    special = json.loads((tmp_path / "special_tokens_map.json").read_text())
    assert special["mask_token"] == tokenizer.vocab[tokenizer.mask_id]


@every
@pytest.mark.parametrize("array", [np.zeros(3, dtype=np.int64), np.zeros((2, 2), dtype=np.uint8)])
def test_refuses_arrays_that_are_not_letters(tokenizer: Tokenizer, array: np.ndarray) -> None:
    with pytest.raises(DataError, match="ASCII"):
        tokenizer.encode(array)


@every
def test_nothing_to_encode(tokenizer: Tokenizer) -> None:
    assert list(tokenizer.encode_batch([])) == []
    assert tokenizer.encode("").offsets.tolist() == [0]


def test_digests_differ() -> None:
    assert len({tokenizer.digest for tokenizer in TOKENIZERS.values()}) == len(TOKENIZERS)
