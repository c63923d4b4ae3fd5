"""SentencePiece models, beside sentencepiece itself."""

from __future__ import annotations

import io
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lingome.core.errors import CheckpointError, DataError, MissingExtraError
from lingome.tokens.load import load_tokenizer
from lingome.tokens.published.sentencepiece import SentencePieceTokenizer
from lingome.tokens.published.sequence import PublishedBpe

sentencepiece = pytest.importorskip("sentencepiece")
RANDOM = np.random.default_rng(3)
SEQUENCES = ["".join(RANDOM.choice(list("ACGT"), 200, p=[0.35, 0.15, 0.2, 0.3])) for _ in range(150)]
SENTENCES = ["The gene binds its own promoter.", "A motif is not a site.", "naïve Δ: two  words"] * 20


def train(lines: list[str], size: int, **settings: Any) -> bytes:
    model = io.BytesIO()
    settings = {"model_type": "bpe", "hard_vocab_limit": False, **settings}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=size, minloglevel=2, **settings
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def of_dna(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dna") / "dna.model"
    file.write_bytes(train(SEQUENCES, 200, add_dummy_prefix=False))
    return file


@pytest.fixture(scope="module")
def of_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("text") / "text.model"
    file.write_bytes(train(SENTENCES, 60))
    return file


def test_a_model_of_dna_gives_sentencepiece_s_ids(of_dna: Path) -> None:
    tokenizer = load_tokenizer(of_dna)
    assert isinstance(tokenizer, PublishedBpe)
    peer = sentencepiece.SentencePieceProcessor(model_file=str(of_dna))
    for letters in ("ACGT", "AT", "A", "AC"):
        for _ in range(200):
            sequence = "".join(RANDOM.choice(list(letters), int(RANDOM.integers(0, 200))))
            assert tokenizer.encode(sequence).input_ids.tolist() == peer.encode(sequence)
    # a run of unknown letters is one token there, one a letter here
    assert peer.encode("AANNNAA") == [3, 0, 3]
    assert tokenizer.encode("AANNNAA").input_ids.tolist() == [3, 0, 0, 0, 3]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "puts a space before"), ({"add_dummy_prefix": False, "model_type": "unigram"}, "not of type BPE"),
        ({"add_dummy_prefix": False, "user_defined_symbols": ["GATC", "TTT"]}, "symbols of its own"),
    ],
)
def test_a_model_of_dna_that_is_not_plain_byte_pairs_is_refused(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "other.model"
    file.write_bytes(train(SEQUENCES, 60, **settings))
    with pytest.raises(CheckpointError, match=r"other\.model") as caught:
        load_tokenizer(file)
    assert said in str(caught.value)


def test_a_model_of_text_is_cut_by_sentencepiece(of_text: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(of_text.parent)
    assert isinstance(tokenizer, SentencePieceTokenizer)
    peer = sentencepiece.SentencePieceProcessor(model_file=str(of_text))
    for text in ("The motif binds", "naïve Δ of 基 genes", "  spaces   here ", ""):
        ids, offsets = tokenizer.encode(text)
        assert ids.tolist() == peer.encode(text)
        assert (np.diff(offsets) >= 0).all()
        assert (offsets[0], offsets[-1]) == (0, len(text.encode()))
    # the space before the text owns no byte; Ω, which the model does not know, owns its two
    codes = "Ω gene".encode()
    ids, offsets = tokenizer.encode(codes)
    owned = [codes[start:end].decode() for start, end in itertools.pairwise(offsets.tolist())]
    said = [tokenizer.vocab[i].replace("▁", " ") for i in ids]
    assert "".join(said) == " <unk> gene"
    assert owned == ["", "Ω", *said[2:]]
    tokenizer.save(tmp_path)
    assert load_tokenizer(tmp_path).digest == tokenizer.digest
    assert not (tmp_path / "tokenizer.json").exists()
    with pytest.raises(DataError, match="use encode"):
        tokenizer.borders(ids, offsets, offsets)


def test_roles_that_a_model_lacks_are_filled(of_text: Path) -> None:
    tokenizer = load_tokenizer(of_text)
    assert (tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id) == (0, 1, 2)
    assert tokenizer.pad_id == tokenizer.mask_id == 2


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 50])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bad.model"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"bad\.model: not a model of SentencePiece"):
        load_tokenizer(file)


def test_without_sentencepiece_the_extra_is_named(of_dna: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingExtraError, match=r"lingome\[bridges\]"):
        load_tokenizer(of_dna)
