"""One vector a sequence, whatever else is in the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import ConfigError, DataError
from lingome.embed.encode import cut_to_fit, embed
from lingome.models.presets import find_config
from lingome.tokens.characters import CharacterTokenizer
from lingome.tune.start import random_body

TOKENIZER = CharacterTokenizer()
BODY = random_body(find_config("tiny", 9), seed=3)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.text("ACGTN", min_size=1, max_size=60), min_size=1, max_size=12),
    st.integers(10, 400),
    st.sampled_from(["mean", "max", "cls"]),
)
def test_vectors_do_not_depend_on_batch_or_padding(sequences: list[str], batch_tokens: int, pooling: str):
    together = embed(BODY, TOKENIZER, sequences, pooling=pooling, batch_tokens=batch_tokens, device="cpu")
    alone = np.concatenate([embed(BODY, TOKENIZER, [one], pooling=pooling, device="cpu") for one in sequences])
    assert together.dtype == np.float32
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.parametrize("layer", [0, 1, 2, -1])
def test_pooling_by_hand(layer: int):
    ids = torch.tensor([[2, *TOKENIZER.encode("ACGTTGCA").input_ids.tolist(), 3]])
    with torch.no_grad():
        hidden = BODY.hidden_states(ids)[layer][0]
    for pooling, expected in (("mean", hidden[1:-1].mean(0)), ("max", hidden[1:-1].amax(0)), ("cls", hidden[0])):
        got = embed(BODY, TOKENIZER, ["ACGTTGCA", "A" * 30], layer=layer, pooling=pooling, device="cpu")
        assert np.abs(got[0] - expected.numpy()).max() < 1e-5, pooling


def test_long_sequences_follow_the_policy():
    body = random_body(find_config("tiny", 9).__class__(**{**find_config("tiny", 9).__dict__, "max_positions": 12}), 0)
    long = "ACGTACGTACGGTTACGTAACGT"  # 23 letters; 10 fit
    with pytest.raises(DataError, match="longer than the model can read"):
        embed(body, TOKENIZER, ["ACG", long], device="cpu")
    first = embed(body, TOKENIZER, [long[:10]], device="cpu")
    assert np.array_equal(embed(body, TOKENIZER, [long], too_long="truncate", device="cpu"), first)
    # Windows by hand: 23 letters in three of 8, 8 and 7, weighted by their tokens.
    parts = embed(body, TOKENIZER, [long[:8], long[8:16], long[16:]], device="cpu")
    expected = (8 * parts[0] + 8 * parts[1] + 7 * parts[2]) / 23
    got = embed(body, TOKENIZER, [long], too_long="window", device="cpu")
    assert np.abs(got[0] - expected).max() < 1e-5
    highest = embed(body, TOKENIZER, [long], too_long="window", pooling="max", device="cpu")
    parts = embed(body, TOKENIZER, [long[:8], long[8:16], long[16:]], pooling="max", device="cpu")
    assert np.abs(highest[0] - parts.max(axis=0)).max() < 1e-5


def test_what_was_cut_and_unknown_is_counted():
    pieces = cut_to_fit(TOKENIZER, ["ACGN", "A" * 25], 12, "window")
    assert (len(pieces.ids), pieces.owner.tolist(), pieces.n_long, pieces.n_unknown) == (4, [0, 1, 1, 1], 1, 1)


def test_layers_that_do_not_exist_and_empty_sequences():
    with pytest.raises(ConfigError, match="no such layer"):
        embed(BODY, TOKENIZER, ["ACG"], layer=3, device="cpu")
    with pytest.raises(DataError, match="a sequence is empty"):
        embed(BODY, TOKENIZER, ["ACG", ""], device="cpu")
    assert embed(BODY, TOKENIZER, [], device="cpu").shape == (0, 64)
