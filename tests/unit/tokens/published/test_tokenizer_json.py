"""Byte pairs of others: equal ids, or a refusal that says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import CheckpointError
from lingome.tokens.alphabet import DNA
from lingome.tokens.bpe import BpeTokenizer, train_bpe
from lingome.tokens.bpe.merges import merges_of_pairs
from lingome.tokens.load import load_tokenizer
from lingome.tokens.published.sequence import PublishedBpe
from lingome.tokens.tokenizer import as_codes

SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
README_SEQUENCE = "ACGTAGCATCGGATCTATCTATCGACACTTGGTTATCGATCTACGAGCATCTCGTTAGC"  # DNABERT-2's


def tokenizer_json(vocab: list[str], merges: list[Any], **changes: Any) -> dict[str, Any]:
    """Give a file as published: unknown token [UNK], nothing else said."""
    model = {
        "type": "BPE", "dropout": None, "unk_token": "[UNK]", "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "vocab": {token: i for i, token in enumerate(vocab)},
        "merges": merges,
    }
    added = [{"id": vocab.index(token), "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for token in SPECIAL if token in vocab]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model, **changes,
    }


def write(folder: Path, content: dict[str, Any]) -> Path:
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(content))
    return file


def texts(letters: str, n: int, longest: int = 300) -> list[str]:
    random = np.random.default_rng(7)
    return ["".join(random.choice(list(letters), int(random.integers(0, longest)))) for _ in range(n)]


def check_against_tokenizers(file: Path, sequences: list[str]) -> PublishedBpe:
    ours, peer = load_tokenizer(file), tokenizers.Tokenizer.from_file(str(file))
    assert isinstance(ours, PublishedBpe)
    for sequence, theirs in zip(sequences, peer.encode_batch(sequences, add_special_tokens=False), strict=True):
        ids, offsets = ours.encode(sequence)
        assert ids.tolist() == theirs.ids
        assert offsets.tolist() == [*(start for start, _ in theirs.offsets), len(sequence)]
    return ours


# DNABERT-2 -----------------------------------------------------------------------------------------


def test_dnabert2_gives_the_published_number_of_tokens(data_dir: Path) -> None:
    # The file of Mistral-DNA is DNABERT-2's own: sha256 5d178e8c..., 4,096 tokens.
    tokenizer = load_tokenizer(data_dir / "models" / "mistral-dna-1m-prom")
    assert tokenizer.vocab_size == 4096
    assert len(tokenizer.encode(README_SEQUENCE).input_ids) == 17 - 2  # 17 with [CLS] and [SEP], in its issue 27
    special = (tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, tokenizer.mask_id)
    assert special == (0, 1, 2, 3, 4)


def test_dnabert2_gives_the_ids_of_its_own_file(data_dir: Path) -> None:
    file = data_dir / "models" / "mistral-dna-1m-prom" / "tokenizer.json"
    made_up = [text for letters in ("ACGT", "ACGTN", "AT", "CA", "A") for text in texts(letters, 400)]
    check_against_tokenizers(file, made_up)


def test_dnabert2_on_a_chromosome(data_dir: Path) -> None:
    from lingome.data.genome import Genome
    from lingome.data.sequence import as_text

    genome = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz")
    sequences = [as_text(genome.sequence("chr20_30M_32M", at, at + 1000)).upper() for at in range(0, 2_000_000, 20_000)]
    check_against_tokenizers(data_dir / "models" / "mistral-dna-1m-prom" / "tokenizer.json", sequences)


# GROVER --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grover() -> dict[str, Any]:
    """Make a file with what is odd in GROVER's: its merges are not at hand, so 600 others stand in."""
    random = np.random.default_rng(0)
    own = train_bpe([as_codes("".join(random.choice(list("ACGT"), 60_000, p=[0.3, 0.2, 0.2, 0.3])))], 600).tokenizer
    merges = [f"{own.vocab[left]} {own.vocab[right]}" for left, right in own.merges]
    return tokenizer_json([*SPECIAL, *own.vocab[5:], ""], ["A ", "C ", "G ", "T ", *merges])


def test_grover_fits_the_rows_of_its_checkpoint(grover: dict[str, Any], tmp_path: Path) -> None:
    assert len(grover["model"]["vocab"]) == 610  # as published; the embedding has 609 rows
    file = write(tmp_path, grover)
    tokenizer = check_against_tokenizers(file, [t for letters in ("ACGT", "ACGTN", "A") for t in texts(letters, 500)])
    assert tokenizer.vocab_size == 609
    assert len(tokenizer.special_ids) == 5
    assert (tokenizer.token_lengths > 0).sum() == 604
    assert tokenizer.encode("NNN").input_ids.tolist() == [tokenizer.unk_id] * 3
    folder = tmp_path / "saved"
    tokenizer.save(folder)
    assert load_tokenizer(folder).digest == tokenizer.digest
    assert tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size() == 609


def test_grover_never_gives_the_last_entry(grover: dict[str, Any], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write(tmp_path, grover))
    words = [""]
    for _ in range(5):
        words = [word + letter for word in words for letter in "ACGTN"]
    assert max(ids.max() for ids, _ in tokenizer.encode_batch(words)) < 609


# Anybody's ----------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_list_of_merges_is_read_exactly_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tokens, merges = ["A", "C", "G", "T"], []
    for _ in range(data.draw(st.integers(1, 14))):
        pair = [data.draw(st.sampled_from(tokens)), data.draw(st.sampled_from(tokens))]
        if len(pair[0] + pair[1]) <= 7:
            merges.append(pair)  # the same token may be made by several
            tokens += [pair[0] + pair[1]] if pair[0] + pair[1] not in tokens else []
    merges = data.draw(st.permutations(merges)) if data.draw(st.booleans()) else merges
    vocab = data.draw(st.permutations([*SPECIAL, *tokens]))
    file = write(tmp_path_factory.mktemp("any"), tokenizer_json(list(vocab), merges))
    try:
        ours = load_tokenizer(file)
    except CheckpointError as error:
        if "before its parts" not in str(error):
            raise
        return
    peer = tokenizers.Tokenizer.from_file(str(file))
    for text in [*data.draw(st.lists(st.text("ACGTN", max_size=40), max_size=8)), "A" * 13, "AC" * 9]:
        assert ours.encode(text).input_ids.tolist() == peer.encode(text).ids


def test_of_two_merges_only_the_token_s_own_can_happen() -> None:
    # AAA alone is A A A, AA A, AAA: the merge A + AA never finds its parts.
    assert merges_of_pairs([("A", "A"), ("A", "AA"), ("AA", "A")]) == [("A", "A"), ("AA", "A")]
    # A pair listed twice comes as late as its last mention, so CA is made first.
    assert merges_of_pairs([("A", "C"), ("C", "A"), ("A", "C")]) == [("C", "A"), ("A", "C")]


def test_lingome_s_own_order_of_ids_is_lingome_s_own_kind(tmp_path: Path) -> None:
    own = BpeTokenizer([(8, 8), (5, 9), (6, 7)])
    own.write_model(tmp_path)
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert (type(again), again.digest) == (BpeTokenizer, own.digest)


def test_n_as_a_token_of_its_own_is_what_unknown_letters_become(tmp_path: Path) -> None:
    file = write(tmp_path, tokenizer_json([*SPECIAL, "A", "C", "G", "N", "T", "AC"], [["A", "C"]]))
    tokenizer = check_against_tokenizers(file, texts("ACGTN", 50))
    assert (tokenizer.unk_id, tokenizer.decode([10, 8, 9])) == (8, "ACNT")
    tokenizer.save(tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved").digest == tokenizer.digest


def test_a_letter_without_a_token_is_unknown(tmp_path: Path) -> None:
    file = write(tmp_path, tokenizer_json([*SPECIAL, "A", "C", "G", "AC"], [["A", "C"]]))
    assert check_against_tokenizers(file, texts("ACGT", 50)).encode("ACT").input_ids.tolist() == [8, 0]


def test_lingome_s_order_of_ids_without_one_of_the_letters(tmp_path: Path) -> None:
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "A", "C", "G", "AC"]
    tokenizer = check_against_tokenizers(write(tmp_path, tokenizer_json(vocab, [["A", "C"]])), texts("ACGT", 50))
    assert tokenizer.alphabet is DNA  # as everything that reads a genome asks
    tokenizer.save(tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved").digest == tokenizer.digest


def test_byte_pairs_of_protein(tmp_path: Path) -> None:
    letters = sorted("ACDEFGHIKLMNPQRSTVWY")
    file = write(tmp_path, tokenizer_json([*SPECIAL, *letters, "LL", "LLA"], [["L", "L"], ["LL", "A"]]))
    tokenizer = check_against_tokenizers(file, texts("ALNXACDEFGHIKLMNPQRSTVWY", 200))
    assert tokenizer.alphabet.name == "protein"


def test_what_stands_around_a_sequence_is_kept(tmp_path: Path, data_dir: Path) -> None:
    published = data_dir / "models" / "mistral-dna-1m-prom" / "tokenizer.json"
    load_tokenizer(published).save(tmp_path)
    text = "ACGTTGCANNACGGTA"
    saved = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert saved.encode(text).ids == tokenizers.Tokenizer.from_file(str(published)).encode(text).ids


Change = Callable[[dict[str, Any]], Any]


def model(**values: Any) -> Change:
    return lambda content: content["model"].update(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (model(type="Unigram"), "model Unigram"),
        (model(dropout=0.1), "dropout 0.1"),
        (model(fuse_unk=True), "fuse_unk True"),
        (model(byte_fallback=True), "byte_fallback"),
        (model(ignore_merges=True), "ignore_merges"),
        (model(end_of_word_suffix="</w>"), "end_of_word_suffix"),
        (model(unk_token=None), "vanish"),
        (model(merges=[["A", "G"]]), "'AG'"),
        (model(merges=["A C G"]), "two tokens"),
        (model(merges=3), "no merges"),
        (lambda c: c["model"]["vocab"].update(AC=40), "'AC' has id 40"),
        (lambda c: c["model"]["vocab"].update(AC="9"), "no numbers"),
        (lambda c: c["model"]["vocab"].update({"a": 10}), "letters"),
        (lambda c: c["model"]["vocab"].update({"R": 10}), "reads as unknown"),
        (lambda c: c["added_tokens"].append({"id": 10, "content": "GATC"}), "no sequence holds"),
        (lambda c: c["added_tokens"].append({"id": 6, "content": "[MASK]"}), "two ids"),
        (lambda c: c["added_tokens"].append("GATC"), "its content"),
        (lambda c: c.update(normalizer={"type": "Lowercase"}), "normalizer Lowercase"),
        (lambda c: c.update(normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend"}]}), "Prepend"),
        (lambda c: c.update(pre_tokenizer={"type": "Metaspace"}), "pre-tokenizer Metaspace"),
        (lambda c: c.update(pre_tokenizer=["Split"]), "an object"),
    ],
)
def test_what_would_change_ids_is_refused(tmp_path: Path, change: Change, said: str) -> None:
    content = tokenizer_json([*SPECIAL, "A", "C", "G", "T", "AC"], [["A", "C"]])
    load_tokenizer(write(tmp_path, content))
    change(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json") as caught:
        load_tokenizer(write(tmp_path, content))
    assert said in str(caught.value)


def test_merges_of_n_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, tokenizer_json([*SPECIAL, "A", "C", "G", "T", "N", "NN"], [["N", "N"]]))
    with pytest.raises(CheckpointError, match="reads as unknown"):
        load_tokenizer(file)


def test_a_missing_role_is_named_and_can_be_given(tmp_path: Path) -> None:
    content = tokenizer_json([*SPECIAL[:4], "<hidden>", "A", "C", "G", "T"], [])
    file = write(tmp_path, content)
    with pytest.raises(CheckpointError, match="serves as mask"):
        load_tokenizer(file)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"mask_token": {"content": "<hidden>"}}))
    assert load_tokenizer(file).mask_id == 4
