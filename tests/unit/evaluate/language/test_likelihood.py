"""The Markov model beside a causal model reads the bases that its tokens stand for."""

import numpy as np
import pytest

from lingome.evaluate.language.likelihood import base_reader
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer

LETTERS = CharacterTokenizer()
BPE = train_bpe([np.frombuffer(b"GATTACAGATTGCA" * 20, dtype=np.uint8)], 6).tokenizer


@pytest.mark.parametrize("tokenizer", [LETTERS, BPE, KmerTokenizer(3), KmerTokenizer(3, overlap=False)])
def test_bases_are_read_back_from_tokens(tokenizer):
    codes = np.random.default_rng(0).integers(0, 4, 100)
    encoding = tokenizer.encode("".join("ACGT"[code] for code in codes))
    assert base_reader(tokenizer)(encoding.input_ids).tolist() == codes.tolist()
