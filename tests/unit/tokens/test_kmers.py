from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import ConfigError
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer


@pytest.mark.parametrize(("k", "prefix"), [(3, "868b0b1c"), (4, "a78f8d49"), (5, "3d422649"), (6, "d8f61c24")])
def test_vocabulary_file_is_the_published_one(k: int, prefix: str, tmp_path: Path) -> None:
    """Digests of the vocab.txt files in jerryji1993/DNABERT (Ji et al. 2021)."""
    KmerTokenizer(k).save(tmp_path)
    content = (tmp_path / "vocab.txt").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(prefix)
    assert content.endswith(b"\n") == (k == 6)


def test_ids_are_those_of_dnabert() -> None:
    """Lines of the published files."""
    six, three = KmerTokenizer(6), KmerTokenizer(3)
    assert [six.ids[word] for word in ("ATCGAT", "TATAAA", "CGCGCG", "GATTAC")] == [438, 1093, 3008, 3159]
    assert [three.ids[word] for word in ("TAG", "CGT", "GGG")] == [24, 50, 68]
    # multimolecule's DNABERT card
    assert [three.vocab[i] for i in three.encode("TAGCGTAT").input_ids] == ["TAG", "AGC", "GCG", "CGT", "GTA", "TAT"]


def test_overlapping_words_own_one_base_and_the_last_k() -> None:
    assert KmerTokenizer(3).encode("TAGCGTAT").offsets.tolist() == [0, 1, 2, 3, 4, 5, 8]


def test_a_word_with_n_is_unknown_and_its_other_letters_are_still_decoded() -> None:
    tokenizer = KmerTokenizer(3)
    encoding = tokenizer.encode("ACGTNACGT")
    assert (encoding.input_ids == tokenizer.unk_id).tolist() == [False, False, True, True, True, False, False]
    assert tokenizer.decode(encoding.input_ids) == "ACGTNACGT"
    assert tokenizer.decode([tokenizer.cls_id, *encoding.input_ids, tokenizer.sep_id]) == "ACGTNACGT"


def test_shorter_than_a_word() -> None:
    assert KmerTokenizer(3).encode("AC").input_ids.tolist() == [1, 1]
    assert KmerTokenizer(3).encode("").offsets.tolist() == [0]
    assert KmerTokenizer(3).decode([]) == ""


def test_side_by_side_is_the_nucleotide_transformer() -> None:
    """Examples of the Nucleotide Transformer's documentation; ids of its first version."""
    tokenizer = KmerTokenizer(6, overlap=False, layout="nucleotide-transformer")
    first = tokenizer.encode("ACGTGTACGTGCACGGACGACTAGTCAGCA")
    assert [tokenizer.cls_id, *first.input_ids.tolist()] == [3, 737, 738, 758, 3223, 1596]
    second = tokenizer.encode("ACGTGTACNTGCACGGANCGACTAGTCTGA")
    words = ["ACGTGT", "A", "C", "N", "TGCACG", "G", "A", "N", "CGACTA", "GTCTGA"]
    assert [tokenizer.vocab[i] for i in second.input_ids] == words
    assert second.offsets.tolist() == np.cumsum([0, *map(len, words)]).tolist()
    assert tokenizer.vocab_size == 4107
    assert tokenizer.unk_id == tokenizer.ids["N"]


@given(text=st.text("ACGTN", max_size=80), k=st.integers(1, 5), overlap=st.booleans())
def test_against_slices(text: str, k: int, overlap: bool) -> None:
    tokenizer = KmerTokenizer(k, overlap)
    words, i = [], 0
    while i < len(text):
        word = text[i : i + k]
        if overlap:
            if len(text) < k:
                word = "[UNK]"
            elif len(word) < k:
                break
            i += 1
        else:
            word = word if len(word) == k and "N" not in word else text[i]
            i += len(word)
        words.append(word if "N" not in word else "[UNK]")
    assert [tokenizer.vocab[i] for i in tokenizer.encode(text).input_ids] == words


@pytest.mark.parametrize(
    ("k", "overlap", "layout"),
    [(0, True, "dnabert"), (9, True, "dnabert"), (6, True, "nucleotide-transformer"), (6, False, "x")],
)
def test_refuses_what_does_not_fit(k: int, overlap: bool, layout: str) -> None:
    with pytest.raises(ConfigError):
        KmerTokenizer(k, overlap, layout)


def test_large_vocabularies_use_wide_ids() -> None:
    tokenizer = KmerTokenizer(8)
    assert tokenizer.vocab_size == 65541
    assert tokenizer.encode("GGGGGGGG").input_ids.tolist() == [65540]


def test_characters() -> None:
    encoding = CharacterTokenizer().encode("acGTnR")
    assert encoding.input_ids.tolist() == [5, 6, 7, 8, 1, 1]
    assert encoding.offsets.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert CharacterTokenizer().decode(encoding.input_ids) == "ACGTNN"
