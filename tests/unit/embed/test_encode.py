"""One vector a sequence, whatever else is in the batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import ConfigError, DataError
from lingome.embed.encode import TokenVectors, check_choice, embed_pieces, embed_tokens, sample_cosine
from lingome.models.architecture import Body
from lingome.models.networks.word2vec.shape import StaticConfig
from lingome.models.open import random_body
from lingome.models.presets import find_config, find_shape
from lingome.models.reading.pieces import cut_to_fit
from lingome.models.reading.reader import Reader
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer

TOKENIZER = CharacterTokenizer()
BODY = random_body(find_config("tiny", 9), seed=3)
CPU = torch.device("cpu")


def embed(
    body: Body, tokenizer: Tokenizer, sequences: list[str], *, layer: int = -1, pooling: str = "mean",
    too_long: str = "error", batch_tokens: int | None = None, precision: str = "fp32",
) -> np.ndarray:
    check_choice(body, layer, pooling)
    pieces = cut_to_fit(tokenizer, sequences, body.config.max_positions, too_long)
    reader = Reader.of(body, CPU, precision)
    return embed_pieces(reader, tokenizer, pieces, layer=layer, pooling=pooling, batch_tokens=batch_tokens)


def read_tokens(
    body: Body, tokenizer: Tokenizer, sequences: list[str], *, bases: bool = False, layer: int = -1,
    too_long: str = "error", batch_tokens: int | None = None,
) -> TokenVectors:
    pieces = cut_to_fit(tokenizer, sequences, body.config.max_positions, too_long)
    reader = Reader.of(body, CPU)
    return embed_tokens(
        reader, tokenizer, pieces, len(sequences), bases=bases, layer=layer, batch_tokens=batch_tokens
    )


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.text("ACGTN", min_size=1, max_size=60), min_size=1, max_size=12),
    st.integers(10, 400),
    st.sampled_from(["mean", "max", "cls"]),
)
def test_vectors_do_not_depend_on_batch_or_padding(sequences: list[str], batch_tokens: int, pooling: str):
    together = embed(BODY, TOKENIZER, sequences, pooling=pooling, batch_tokens=batch_tokens)
    alone = np.concatenate([embed(BODY, TOKENIZER, [one], pooling=pooling) for one in sequences])
    assert together.dtype == np.float32
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.parametrize("layer", [0, 1, 2, -1])
def test_pooling_by_hand(layer: int):
    ids = torch.tensor([[2, *TOKENIZER.encode("ACGTTGCA").input_ids.tolist(), 3]])
    with torch.no_grad():
        hidden = BODY.hidden_states(ids)[layer][0]
    for pooling, expected in (("mean", hidden[1:-1].mean(0)), ("max", hidden[1:-1].amax(0)), ("cls", hidden[0])):
        got = embed(BODY, TOKENIZER, ["ACGTTGCA", "A" * 30], layer=layer, pooling=pooling)
        assert np.abs(got[0] - expected.numpy()).max() < 1e-5, pooling


def test_long_sequences_follow_the_policy():
    body = random_body(find_config("tiny", 9).__class__(**{**find_config("tiny", 9).__dict__, "max_positions": 12}), 0)
    long = "ACGTACGTACGGTTACGTAACGT"  # 23 letters; 10 fit
    with pytest.raises(DataError, match="longer than the model can read"):
        embed(body, TOKENIZER, ["ACG", long])
    first = embed(body, TOKENIZER, [long[:10]])
    assert np.array_equal(embed(body, TOKENIZER, [long], too_long="truncate"), first)
    # Windows by hand: 23 letters in three of 8, 8 and 7, weighted by their tokens.
    parts = embed(body, TOKENIZER, [long[:8], long[8:16], long[16:]])
    expected = (8 * parts[0] + 8 * parts[1] + 7 * parts[2]) / 23
    got = embed(body, TOKENIZER, [long], too_long="window")
    assert np.abs(got[0] - expected).max() < 1e-5
    highest = embed(body, TOKENIZER, [long], too_long="window", pooling="max")
    parts = embed(body, TOKENIZER, [long[:8], long[8:16], long[16:]], pooling="max")
    assert np.abs(highest[0] - parts.max(axis=0)).max() < 1e-5


def test_what_was_cut_and_unknown_is_counted():
    pieces = cut_to_fit(TOKENIZER, ["ACGN", "A" * 25], 12, "window")
    assert (len(pieces.ids), pieces.owner.tolist(), pieces.n_long, pieces.n_unknown) == (4, [0, 1, 1, 1], 1, 1)


def test_layers_that_do_not_exist_and_empty_sequences():
    with pytest.raises(ConfigError, match="no such layer"):
        embed(BODY, TOKENIZER, ["ACG"], layer=3)
    with pytest.raises(DataError, match="a sequence is empty"):
        embed(BODY, TOKENIZER, ["ACG", ""])
    assert embed(BODY, TOKENIZER, []).shape == (0, 64)


SEQUENCES = ["ACGTTGCATTGACCA", "A", "GGNGT" * 9, "TTGACA" * 4, "CATTC", "GATTACAGATTACAG"]


@pytest.mark.parametrize("preset", ["tiny", "bert-mini", "gpt-mini", "hyena-mini", "dilated-tiny", "t5-nano", "static"])
def test_every_body_is_invariant_to_batch_padding_and_order(preset: str):
    shape = StaticConfig(vocab_size=9) if preset == "static" else find_shape(preset, 9)
    body = random_body(shape, seed=1)
    for layer in (-1, 0):
        alone = np.concatenate([embed(body, TOKENIZER, [one], layer=layer) for one in SEQUENCES])
        for batch_tokens in (1, 70, 10_000):
            turned = embed(body, TOKENIZER, SEQUENCES[::-1], layer=layer, batch_tokens=batch_tokens)
            assert np.abs(turned[::-1] - alone).max() < 1e-5


@pytest.mark.parametrize("bases", [False, True])
def test_tokens_and_bases_by_hand(bases: bool):
    tokenizer = KmerTokenizer(3, False)
    body = random_body(find_config("nano", tokenizer.vocab_size), seed=2)
    texts = ["ACGTTGCA", "GGT"]  # ACG TTG C A, and GGT
    found = read_tokens(body, tokenizer, texts, bases=bases, layer=1, batch_tokens=6)
    rows = []
    for text in texts:
        encoding = tokenizer.encode(text)
        ids = torch.tensor([[tokenizer.cls_id, *encoding.input_ids.tolist(), tokenizer.sep_id]])
        with torch.no_grad():
            states = body.hidden_states(ids)[1][0, 1:-1]
        rows.append(states.repeat_interleave(torch.from_numpy(np.diff(encoding.offsets)), 0) if bases else states)
    assert np.abs(found.embeddings - torch.cat(rows).numpy()).max() < 1e-5
    assert found.cuts.tolist() == ([0, 8, 11] if bases else [0, 4, 5])
    assert found.starts.tolist() == ([*range(8), 0, 1, 2] if bases else [0, 3, 6, 7, 0])
    assert found.ends.tolist() == ([*range(1, 9), 1, 2, 3] if bases else [3, 6, 7, 8, 3])


def test_tokens_of_long_sequences():
    body = random_body(dataclasses.replace(find_config("nano", 9), max_positions=12), 0)
    long = "ACGTACGTACGGTTACGTAACGT"
    windows = read_tokens(body, TOKENIZER, ["CC", long], too_long="window")
    parts = read_tokens(body, TOKENIZER, ["CC", long[:8], long[8:16], long[16:]])
    assert np.abs(windows.embeddings - parts.embeddings).max() < 1e-5
    assert (windows.cuts.tolist(), windows.starts.tolist()) == ([0, 2, 25], [0, 1, *range(23)])
    cut = read_tokens(body, TOKENIZER, [long], too_long="truncate", bases=True)
    assert (cut.cuts.tolist(), cut.ends.tolist()) == ([0, 10], list(range(1, 11)))


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_lower_precision_is_close(precision: str):
    body = random_body(find_config("tiny", 9), seed=3)
    exact = embed(body, TOKENIZER, SEQUENCES)
    rough = embed(body, TOKENIZER, SEQUENCES, precision=precision)
    cosine = (exact * rough).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    assert 0.999 < cosine.min() < 1 - 1e-9
    reader = Reader.of(body, CPU, precision)
    pieces = cut_to_fit(TOKENIZER, SEQUENCES, 512)
    assert abs(sample_cosine(body, reader, TOKENIZER, pieces) - cosine.min()) < 1e-6
