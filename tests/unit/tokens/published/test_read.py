"""Lists of words and letters that others published."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import tokenizers

from lingome.core.errors import CheckpointError, DataError
from lingome.tokens.alphabet import ESM, PROTEIN
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer


# From the files in the repository jerryji1993/DNABERT: first eight digits of sha256, and lines of them.
@pytest.mark.parametrize(
    ("k", "sha256", "ids"),
    [
        (3, "868b0b1c", {"TAG": 24, "CGT": 50, "GGG": 68}), (4, "a78f8d49", {}), (5, "3d422649", {}),
        (6, "d8f61c24", {"ATCGAT": 438, "TATAAA": 1093, "CGCGCG": 3008, "GATTAC": 3159}),
    ],
)
def test_dnabert_s_list_is_read_and_written_to_the_byte(
    k: int, sha256: str, ids: dict[str, int], tmp_path: Path
) -> None:
    KmerTokenizer(k).save(tmp_path)
    content = (tmp_path / "vocab.txt").read_bytes()
    assert hashlib.sha256(content).hexdigest()[:8] == sha256
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "vocab.txt").write_bytes(content)
    for path in (tmp_path / "published", tmp_path / "published" / "vocab.txt"):
        tokenizer = load_tokenizer(path)
        assert isinstance(tokenizer, KmerTokenizer)
        assert (tokenizer.k, tokenizer.overlap) == (k, True)
        assert {word: int(tokenizer.encode(word).input_ids[0]) for word in ids} == ids


def test_nucleotide_transformer_s_list_is_read(tmp_path: Path) -> None:
    published = KmerTokenizer(6, overlap=False, layout="nucleotide-transformer")
    (tmp_path / "vocab.txt").write_text("\n".join(published.vocab))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.vocab_size == 4107
    # The example of its documentation, with ids of its code.
    ids = tokenizer.encode("ACGTGTACGTGCACGGACGACTAGTCAGCA").input_ids.tolist()
    assert [tokenizer.cls_id, *ids] == [3, 737, 738, 758, 3223, 1596]


def test_hyenadna_s_ids() -> None:
    tokenizer = CharacterTokenizer(layout="hyenadna")
    assert tokenizer.encode("ACGTN").input_ids.tolist() == [7, 8, 9, 10, 11]  # hg38_char_tokenizer.py
    assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.pad_id) == (0, 1, 3, 4)
    assert (tokenizer.ids["[BOS]"], tokenizer.ids["[RESERVED]"], tokenizer.ids["[UNK]"]) == (2, 5, 6)
    assert tokenizer.vocab_size == 12
    assert tokenizer.decode([0, 7, 11, 8, 1]) == "ANC"


def test_esm_s_ids() -> None:
    tokenizer = CharacterTokenizer(layout="esm")
    assert tokenizer.vocab_size == 33
    assert tokenizer.encode("LAGVSERTIDPKQNFYMHWCXBUZO.-").input_ids.tolist() == list(range(4, 31))
    assert (tokenizer.cls_id, tokenizer.pad_id, tokenizer.sep_id, tokenizer.unk_id) == (0, 1, 2, 3)
    assert (tokenizer.ids["<null_1>"], tokenizer.mask_id) == (31, 32)
    assert tokenizer.encode("MK*J").input_ids.tolist() == [20, 15, 3, 3]
    assert set(PROTEIN.letters) < set(ESM.letters)


@pytest.mark.parametrize("layout", ["esm", "hyenadna"])
def test_letters_are_read_from_the_list_and_from_tokenizer_json(layout: str, tmp_path: Path) -> None:
    published = CharacterTokenizer(layout=layout)
    (tmp_path / "vocab.txt").write_text("\n".join(published.vocab) + "\n")
    assert load_tokenizer(tmp_path).digest == published.digest
    published.write_model(tmp_path)  # tokenizer.json, with no word of lingome
    assert load_tokenizer(tmp_path).digest == published.digest
    assert load_tokenizer(tmp_path / "tokenizer.json").digest == published.digest


def test_esm_stands_between_cls_and_eos_and_hyenadna_before_sep(tmp_path: Path) -> None:
    for layout, expected in (("esm", [0, 20, 15, 2]), ("hyenadna", [11, 11, 1])):
        CharacterTokenizer(layout=layout).save(tmp_path)
        assert tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("MK").ids == expected


def test_a_protein_list_is_not_taken_for_one_of_dna(tmp_path: Path) -> None:
    esm = CharacterTokenizer(layout="esm")
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(esm.vocab)))
    with pytest.raises(CheckpointError, match=r"vocab\.txt:1: .*published layout"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"A\nB\n", b"\xff\xfe\x00", b"[PAD]\n" * 69])
def test_other_lists_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"vocab\.txt"):
        load_tokenizer(tmp_path)


SAVED: dict[str, Tokenizer] = {
    "letters": CharacterTokenizer(), "hyenadna": CharacterTokenizer(layout="hyenadna"),
    "protein": CharacterTokenizer(PROTEIN), "side by side": KmerTokenizer(2, overlap=False),
}


@pytest.mark.parametrize("tokenizer", SAVED.values(), ids=SAVED.keys())
def test_a_tokenizer_json_that_was_exchanged_is_noticed(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    file = tmp_path / "tokenizer.json"
    # what `tokenizers` writes again is the same
    tokenizers.Tokenizer.from_file(str(file)).save(str(file))
    assert load_tokenizer(tmp_path).digest == tokenizer.digest
    content = json.loads(file.read_text())
    content["model"]["vocab"].update(A=content["model"]["vocab"]["C"], C=content["model"]["vocab"]["A"])
    file.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="its model is not that of this tokenizer"):
        load_tokenizer(tmp_path)
    file.write_text("{")
    with pytest.raises(CheckpointError, match="JSON"):
        load_tokenizer(tmp_path)


def test_words_in_no_published_order_are_refused(tmp_path: Path) -> None:
    CharacterTokenizer().write_model(tmp_path)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"]["vocab"].update(A=6, C=5)
    file.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="9 words"):
        load_tokenizer(tmp_path)


def test_several_vocabularies_or_an_unknown_file(tmp_path: Path) -> None:
    for name in ("a.model", "b.tiktoken"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=r"several vocabularies.*\n.*a\.model, b\.tiktoken"):
        load_tokenizer(tmp_path)
    other = tmp_path / "weights.bin"
    other.write_bytes(b"x")
    with pytest.raises(DataError, match=r"weights\.bin"):
        load_tokenizer(other)
    with pytest.raises(DataError, match="no tokenizer here"):
        load_tokenizer(tmp_path / "missing")


def test_nucleotide_transformer_v2_adds_two() -> None:
    tokenizer = KmerTokenizer(6, overlap=False, layout="nucleotide-transformer-v2")
    ids = tokenizer.encode("ACGTGTACGTGCACGGACGACTAGTCAGCA").input_ids.tolist()
    assert [tokenizer.cls_id, *ids] == [3, 739, 740, 760, 3225, 1598]
