"""Vocabularies and ids beside those of Hugging Face's `tokenizers`, `transformers` and `rustbpe`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tokenizers
import transformers

from lingome.data.genome import Genome
from lingome.data.sequence import as_text
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer, as_codes

RANDOM = np.random.default_rng(0)


def random_text(letters: str, length: int) -> str:
    return "".join(RANDOM.choice(list(letters), length))


TOKENIZERS: dict[str, Tokenizer] = {
    "bpe": train_bpe([as_codes(random_text("AAACGTTT", 20_000))], 300).tokenizer,
    "characters": CharacterTokenizer(),
    "side by side": KmerTokenizer(4, overlap=False),
    "hyenadna": CharacterTokenizer(layout="hyenadna"),
    "esm": CharacterTokenizer(layout="esm"),
    "nucleotide transformer": KmerTokenizer(6, overlap=False, layout="nucleotide-transformer"),
}
every = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS.keys())


@every
def test_tokenizers_reads_the_file_and_gives_the_same_ids(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert peer.get_vocab_size() == tokenizer.vocab_size
    texts = [random_text(letters, n) for letters in ("ACGT", "ACGTN", "acgtNA", "AC", "A", "N") for n in (0, 1, 7, 500)]
    for text in texts:
        bare = peer.encode(text, add_special_tokens=False)
        ours = tokenizer.encode(text)
        assert bare.ids == ours.input_ids.tolist()
        assert [start for start, _ in bare.offsets] == ours.offsets[:-1].tolist()
        starts = [] if "[RESERVED]" in tokenizer.ids else [tokenizer.cls_id]  # HyenaDNA
        ends = [] if isinstance(tokenizer, KmerTokenizer) and "<eos>" in tokenizer.ids else [tokenizer.sep_id]
        assert peer.encode(text).ids == [*starts, *bare.ids, *ends]


def test_transformers_reads_the_folder(tmp_path: Path) -> None:
    tokenizer = TOKENIZERS["bpe"]
    tokenizer.save(tmp_path)
    peer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = random_text("ACGTN", 300)
    assert peer(text)["input_ids"] == [tokenizer.cls_id, *tokenizer.encode(text).input_ids.tolist(), tokenizer.sep_id]
    assert (peer.pad_token_id, peer.mask_token_id, peer.unk_token_id) == (0, 4, 1)


def test_transformers_has_esm_s_letters_in_the_same_order(tmp_path: Path) -> None:
    from transformers.models.esm.configuration_esm import get_default_vocab_list

    tokenizer = CharacterTokenizer(layout="esm")
    assert tokenizer.vocab == tuple(get_default_vocab_list())
    (tmp_path / "vocab.txt").write_text("\n".join(tokenizer.vocab))
    peer = transformers.EsmTokenizer(str(tmp_path / "vocab.txt"))
    protein = random_text("LAGVSERTIDPKQNFYMHWCXBUZO", 200)
    expected = [tokenizer.cls_id, *tokenizer.encode(protein).input_ids.tolist(), tokenizer.sep_id]
    assert peer(protein)["input_ids"] == expected


def test_dnabert_reads_overlapping_words_with_spaces(tmp_path: Path) -> None:
    tokenizer = KmerTokenizer(6)
    tokenizer.save(tmp_path)
    peer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = random_text("ACGT", 100)
    words = " ".join(text[i : i + 6] for i in range(len(text) - 5))
    assert peer(words, add_special_tokens=False)["input_ids"] == tokenizer.encode(text).input_ids.tolist()


def peer_merges(text: str, merges: int) -> list[list[str]]:
    """Train `tokenizers` on one word."""
    import json

    model = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=9 + merges, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False
    )
    model.train_from_iterator([text], trainer)
    return json.loads(model.to_str())["model"]["merges"]


def test_training_equals_tokenizers_on_one_word(data_dir: Path) -> None:
    sequence = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M", 0, 60_000)
    training = train_bpe([sequence], 300)
    assert [[row["left"], row["right"]] for row in training.merges] == peer_merges(as_text(sequence), 300)


@pytest.mark.parametrize("seed", range(5))
def test_training_equals_tokenizers_on_random_words(seed: int) -> None:
    text = "".join(np.random.default_rng(seed).choice(list("ACGT"), 3000, p=[0.4, 0.1, 0.2, 0.3]))
    training = train_bpe([as_codes(text)], 200)
    assert [[row["left"], row["right"]] for row in training.merges] == peer_merges(text, 200)
