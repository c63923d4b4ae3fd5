from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.load import build_tokenizer, load_tokenizer

BPE = BpeTokenizer([(8, 8), (5, 9), (6, 7)])


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_an_empty_folder_holds_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no tokenizer here"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"text"', b"[" * 100_000])
def test_a_corrupt_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    BPE.save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        load_tokenizer(tmp_path)


def set_model(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["model"].update(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.pop("model"), "model None"),
        (set_model(type="WordPiece"), "model WordPiece"),
        (set_model(vocab=None), "no vocabulary"),
        (lambda c: c["model"]["vocab"].update(A=6), "A has id 6"),
        (lambda c: c["model"]["merges"].reverse(), "merge 0"),
        (lambda c: c["model"]["merges"].append(["T", "A"]), "merge 3"),
        (lambda c: c["model"]["merges"].append(7), "merge 3 is 7"),
        (lambda c: c["model"]["merges"].pop(), "12 tokens"),
        (lambda c: c["model"]["vocab"].update(GG=12), "13 tokens"),
        (lambda c: c["model"]["merges"].__setitem__(0, ["", "TT"]), "merge 0"),
    ],
)
def test_a_foreign_tokenizer_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str) -> None:
    BPE.save(tmp_path)
    edit(tmp_path / "tokenizer.json", change)
    with pytest.raises(CheckpointError, match=r"cannot reproduce|can reproduce exactly") as caught:
        load_tokenizer(tmp_path)
    assert said in str(caught.value)
    assert "tokenizer.json" in str(caught.value)


def test_merges_that_were_exchanged_are_noticed(tmp_path: Path) -> None:
    BPE.save(tmp_path)
    BpeTokenizer([(8, 8), (5, 9), (6, 8)]).write_model(tmp_path)
    with pytest.raises(CheckpointError, match="not the one that was saved"):
        load_tokenizer(tmp_path)


def test_byte_pairs_without_a_config_are_read(tmp_path: Path) -> None:
    BPE.write_model(tmp_path)
    assert load_tokenizer(tmp_path).digest == BPE.digest
    # tokenizers before 0.20 wrote a merge as one string
    edit(tmp_path / "tokenizer.json", lambda c: c["model"].update(merges=["T T", "A TT", "C G"]))
    assert load_tokenizer(tmp_path).digest == BPE.digest


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "words"}, "known kind"), ({"k": "6"}, "wrong type"), ({"k": 40}, "do not fit"),
        ({"digest": ""}, "saved"),
    ],
)
def test_wrong_settings_of_kmers(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    KmerTokenizer(3).save(tmp_path)
    edit(tmp_path / "tokenizer_config.json", lambda c: c["lingome"].update(values))
    with pytest.raises(CheckpointError, match=said):
        load_tokenizer(tmp_path)


def test_wrong_vocabulary_file_of_kmers(tmp_path: Path) -> None:
    KmerTokenizer(3).save(tmp_path)
    file = tmp_path / "vocab.txt"
    text = file.read_text()
    file.write_text(text.replace("AAT\n", "XXX\n"))
    with pytest.raises(CheckpointError, match=r"vocab\.txt:7"):
        load_tokenizer(tmp_path)
    file.write_text(text + "\nmore")
    with pytest.raises(CheckpointError, match="wrong length"):
        load_tokenizer(tmp_path)
    file.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_tokenizer(tmp_path)


def test_byte_pairs_cannot_be_built_without_data() -> None:
    with pytest.raises(ConfigError, match="without data"):
        build_tokenizer("bpe")
