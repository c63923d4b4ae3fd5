import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import nn

from lingome.core.errors import ConfigError
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM, initialise_encoder_decoder
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.train.memory import cut_rows
from lingome.train.objectives.corruption import SpanCorruption, corrupt_row, count_spans, target_losses

TOKENIZER = CharacterTokenizer()
SENTINEL_IDS = np.arange(400, 100, -1)


def restore(source, target, sentinel_ids):
    """Put what the target says back where it was hidden."""
    spans, span = {}, []
    for token in target.tolist():
        if token in sentinel_ids:
            span = spans.setdefault(token, [])
        else:
            span.append(token)
    return [one for token in source.tolist() for one in spans.get(token, [token])]


@given(
    n=st.integers(1, 300), rate=st.floats(0.01, 0.99), mean_span=st.floats(1, 20), seed=st.integers(0, 10**6),
)
def test_source_and_target_give_back_the_row(n, rate, mean_span, seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, 9, n).astype(np.uint16)
    source, target = corrupt_row(ids, rng, rate=rate, mean_span=mean_span, sentinel_ids=SENTINEL_IDS)
    assert restore(source, target, set(SENTINEL_IDS.tolist())) == ids.tolist()
    hidden, spans = count_spans(n, rate, mean_span)
    used = SENTINEL_IDS[:spans].tolist()
    assert [token for token in source.tolist() if token > 100] == used  # in order, each once in both
    assert [token for token in target.tolist() if token > 100] == used
    assert (len(source), len(target)) == (n - hidden + spans, hidden + spans)
    places = np.flatnonzero(source > 100)
    assert (np.diff(places) > 1).all()  # spans never touch
    sentinels = np.flatnonzero(np.append(target > 100, True))
    assert (np.diff(sentinels) > 1).all()  # nor are they empty


def test_counts_of_the_paper():
    """512 tokens at 15% and spans of 3: 77 hidden in 26 spans, as T5's random_spans_noise_mask has."""
    assert count_spans(512, 0.15, 3) == (77, 26)
    assert abs(count_spans(10_000, 0.15, 3).hidden / 10_000 - 0.15) < 1e-9
    assert count_spans(1, 0.15, 3) == (1, 1)
    assert count_spans(10, 0.99, 1) == (9, 2)  # one visible token keeps two spans apart


def test_each_way_to_cut_is_equally_likely():
    """Two of six tokens in two spans that do not touch: 10 ways."""
    rng, ids = np.random.default_rng(0), np.arange(6) + 5
    seen = Counter(
        tuple(corrupt_row(ids, rng, rate=1 / 3, mean_span=1, sentinel_ids=SENTINEL_IDS).source.tolist())
        for _ in range(5000)
    )
    assert len(seen) == 10
    assert chisquare(list(seen.values())).pvalue > 1e-3


def test_a_batch_has_ends_and_sentinels_from_the_last_id_down():
    objective = SpanCorruption(TOKENIZER)
    assert objective.sentinel_ids[[0, 1, -1]].tolist() == [108, 107, 9]  # 9 tokens and 100 sentinels: 109 rows
    rows = np.full((3, 42), 5)
    rows[:, 0], rows[:, -1] = 2, 3
    corrupted = objective.corrupt(rows, np.random.default_rng(0))
    assert corrupted.input_ids.shape == (3, 38)
    assert corrupted.targets.shape == (3, 9)
    assert (corrupted.input_ids[:, 0] == 2).all()
    assert (corrupted.input_ids[:, -1] == 3).all()
    assert (corrupted.targets[:, 0] == 108).all()
    assert (corrupted.targets[:, -1] == 3).all()
    assert corrupted.attention_mask.all()
    assert corrupted.target_mask.all()


def test_padded_rows_are_corrupted_as_they_are_alone():
    objective = SpanCorruption(TOKENIZER)
    rows = np.full((2, 42), 6)
    rows[:, 0], rows[0, -1], rows[1, 21], rows[1, 22:] = 2, 3, 3, 0
    mask = np.arange(42) < np.array([[42], [22]])
    corrupted = objective.corrupt(rows, np.random.default_rng(0), mask)
    assert corrupted.attention_mask.sum(axis=1).tolist() == [38, 20]  # 40 - 6 + 2 and 20 - 3 + 1, and two ends
    assert corrupted.target_mask.sum(axis=1).tolist() == [9, 5]
    assert corrupted.input_ids[1, 19] == 3
    assert (corrupted.input_ids[1, 20:] == 0).all()
    assert (corrupted.targets[1, 5:] == 0).all()


def test_more_spans_than_sentinels_are_refused():
    objective = SpanCorruption(TOKENIZER, rate=0.5, mean_span=1)
    objective.check(200)
    with pytest.raises(ConfigError, match="more spans"):
        objective.check(510)


@pytest.mark.parametrize(("rate", "mean_span"), [(0, 3), (1, 3), (0.15, 0.5)])
def test_shares_that_make_no_sense(rate, mean_span):
    with pytest.raises(ConfigError):
        SpanCorruption(TOKENIZER, rate, mean_span)


def test_words_that_overlap_are_warned_of():
    assert SpanCorruption(TOKENIZER).advice is None
    assert "mask_span=12" in SpanCorruption(KmerTokenizer(6, True)).advice
    assert SpanCorruption(KmerTokenizer(6, True), mean_span=12).advice is None


def model():
    config = EncoderDecoderConfig(109, 16, 1, 1, n_heads=2, head_size=8, ffn_size=16)
    built = EncoderDecoderLM(config)
    initialise_encoder_decoder(built, seed=0)
    return built.eval()


def test_the_loss_is_that_of_each_target_after_those_before_it():
    """Against one call a token, without any shortcut; padded rows count their own tokens alone."""
    objective, net = SpanCorruption(TOKENIZER), model()
    rows = np.random.default_rng(1).integers(5, 9, (2, 42))
    rows[:, 0], rows[0, -1], rows[1, 21], rows[1, 22:] = 2, 3, 3, 0
    mask = np.arange(42) < np.array([[42], [22]])
    corrupted = objective.corrupt(rows, np.random.default_rng(0), mask)
    expected = 0.0
    with torch.no_grad():
        for source, real, target, counted in zip(*corrupted, strict=True):
            source, target = torch.from_numpy(source[real]), target[counted].tolist()
            for place, token in enumerate(target):
                logits = net(source[None], torch.tensor([[0, *target[:place]]]))[0, -1]
                expected -= float(logits.log_softmax(-1)[token])
        total, items = objective.loss(net, {"input_ids": rows, "attention_mask": mask}, np.random.default_rng(0))
        drawn = objective.draw({"input_ids": rows, "attention_mask": mask}, np.random.default_rng(0))
        pieces = [objective.loss(net, piece, np.random.default_rng(9)) for piece in cut_rows(drawn, 2)]
    assert items == 14
    assert sum(piece.items for piece in pieces) == items
    assert sum(float(piece.total) for piece in pieces) == pytest.approx(float(total), rel=1e-5)
    assert float(total) == pytest.approx(expected, rel=1e-5)


def test_validation_counts_hidden_tokens_and_their_bases():
    objective, windows = SpanCorruption(KmerTokenizer(3, False)), np.random.default_rng(0).integers(5, 69, (4, 40))
    validation = objective.validation(windows, seed=0)
    assert (validation.tokens, validation.bases) == (4 * 6, 4 * 6 * 3)

    class Even(EncoderDecoderLM):
        """Finds every token as likely as any other."""

        def forward(self, input_ids_BL, target_ids_BQ, attention_mask_BL=None, target_mask_BQ=None):
            return torch.zeros(*target_ids_BQ.shape, objective.tokenizer.vocab_size + 100)

    net = Even(EncoderDecoderConfig(objective.tokenizer.vocab_size + 100, 8, 1, 1, n_heads=1, head_size=8, ffn_size=8))
    values = validation(net)
    n_rows = objective.tokenizer.vocab_size + 100
    assert values["loss"] == pytest.approx(math.log(n_rows))
    assert values["bits_per_base"] == pytest.approx(math.log2(n_rows) / 3)
    assert validation.unigram(np.full(objective.tokenizer.vocab_size, 7))["loss"] == pytest.approx(
        math.log(objective.tokenizer.vocab_size)
    )
    assert values == validation(net)


def test_it_learns_from_what_stands_around_a_hidden_span():
    """Rows of period 4: token frequencies know nothing of them, ln 4 = 1.39 nats a token."""
    objective = SpanCorruption(TOKENIZER)
    net = EncoderDecoderLM(EncoderDecoderConfig(109, 32, 1, 1, n_heads=2, head_size=16, ffn_size=32))
    initialise_encoder_decoder(net, seed=0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-2)
    for step in range(50):
        rng = np.random.default_rng(step)
        rows = 5 + (np.arange(22) + rng.integers(0, 4, (8, 1))) % 4
        rows[:, 0], rows[:, -1] = 2, 3
        loss, items = objective.loss(net, {"input_ids": rows}, rng)
        optimizer.zero_grad()
        (loss / items).backward()
        optimizer.step()
    windows = 5 + (np.arange(20) + np.arange(16)[:, None]) % 4
    assert objective.validation(windows, seed=1)(net.eval())["loss"] < 0.9


def test_losses_of_other_models_are_refused():
    with pytest.raises(AssertionError):
        target_losses(nn.Linear(1, 1), SpanCorruption(TOKENIZER).corrupt(np.full((1, 10), 5), np.random.default_rng(0)))
