import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.overlap import (
    HIDES_TOO_LITTLE,
    MASK_SHARE,
    expected_hidden_share,
    hidden_bases,
    hidden_bases_of,
    overlap_warning,
    span_start_rate,
)
from lingome.train.objectives import mask_tokens

sequences = st.text("ACGT", max_size=40)


def by_hand(n_bases, k, masked):
    """Take every word in turn and cross out the bases it shows."""
    hidden = np.ones(n_bases, dtype=bool)
    for start in range(n_bases - k + 1):
        if not masked[start]:
            hidden[start : start + k] = False
    return hidden


@settings(max_examples=200, deadline=None)
@given(sequences, st.integers(1, 8), st.data())
def test_overlapping_words_hide_what_no_visible_word_covers(sequence, k, data):
    tokenizer = KmerTokenizer(k)
    encoding = tokenizer.encode(sequence)
    n = len(encoding.input_ids)
    masked = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    expected = by_hand(len(sequence), k, masked)
    assert np.array_equal(hidden_bases_of(tokenizer, encoding, masked), expected)
    assert np.array_equal(hidden_bases(masked, k, n_bases=len(sequence)), expected)
    if len(sequence) >= k:
        assert np.array_equal(hidden_bases(masked, k), expected)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_run_of_m_words_hides_m_minus_k_plus_1_bases_and_more_at_the_ends(k, left, m, right):
    masked = np.array([False] * left + [True] * m + [False] * right, dtype=bool)
    if not len(masked):
        return
    hidden = int(hidden_bases(masked, k).sum())
    if m == 0:
        expected = 0
    elif left and right:
        expected = max(0, m - k + 1)
    elif left or right:  # at an end, each masked word was the only one over one more base
        expected = m
    else:
        expected = m + k - 1
    assert hidden == expected


@settings(max_examples=100, deadline=None)
@given(st.text("ACGTN", max_size=40), st.integers(1, 6), st.booleans(), st.data())
def test_any_tokenizer_hides_the_bases_that_no_known_visible_token_spells(sequence, k, overlap, data):
    tokenizer = KmerTokenizer(k, overlap=overlap)
    encoding = tokenizer.encode(sequence)
    n = len(encoding.input_ids)
    masked = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    letters = ["?"] * len(sequence)
    for i, index in enumerate(encoding.input_ids):
        if not masked[i] and index != tokenizer.unk_id:
            for j, letter in enumerate(tokenizer.vocab[index]):
                letters[encoding.offsets[i] + j] = letter
    shown = hidden_bases_of(tokenizer, encoding, masked)
    assert shown.tolist() == [letter == "?" for letter in letters]
    if not overlap and "N" not in sequence:
        assert np.array_equal(hidden_bases(masked, k, overlap=False, n_bases=len(sequence)), shown)


def test_byte_pairs_hide_their_own_bases():
    tokenizer = train_bpe([np.frombuffer(b"ACACGTACAC" * 20, dtype=np.uint8)], 3).tokenizer
    encoding = tokenizer.encode("ACACGTACAC")
    masked = np.zeros(len(encoding.input_ids), dtype=bool)
    masked[0] = True
    length = len(tokenizer.vocab[encoding.input_ids[0]])
    assert length > 1
    assert hidden_bases_of(tokenizer, encoding, masked).nonzero()[0].tolist() == list(range(length))


def test_masks_may_come_in_batches():
    masked = np.random.default_rng(0).random((3, 4, 20)) < 0.7
    together = hidden_bases(masked, 4)
    assert together.shape == (3, 4, 23)
    assert all(np.array_equal(together[i, j], hidden_bases(masked[i, j], 4)) for i in range(3) for j in range(4))
    assert hidden_bases(masked, 3, overlap=False).sum() == 3 * masked.sum()


def test_dnabert_spans_hide_one_base_and_mask_14_percent():
    # Offsets of examples/run_pretrain.py: k words around a centre.
    for k, around in {3: (-1, 1), 4: (-1, 1, 2), 5: (-2, -1, 1, 2), 6: (-2, -1, 1, 2, 3)}.items():
        masked = np.zeros(60, dtype=bool)
        masked[[30, *(30 + offset for offset in around)]] = True
        assert masked.sum() == k
        assert hidden_bases(masked, k).sum() == 1
    assert span_start_rate(1 - 0.975**6, 6) == pytest.approx(0.025, rel=1e-12)
    assert round(1 - 0.975**6, 3) == 0.141


def test_a_wrong_number_of_tokens_is_refused():
    with pytest.raises(DataError, match=r"got: +5\n +expected: 8"):
        hidden_bases(np.zeros(5, dtype=bool), 3, n_bases=10)
    with pytest.raises(DataError, match="side by side"):
        hidden_bases(np.zeros(3, dtype=bool), 3, overlap=False, n_bases=10)


@pytest.mark.parametrize(
    ("k", "overlap", "rate", "span"),
    [(3, True, 0.6, 1), (3, True, 0.15, 3), (6, True, 0.15, 6), (6, True, 0.4, 4), (4, True, 0.3, 9),
     (6, False, 0.15, 1), (6, False, 0.3, 5)],
)
def test_the_expected_share_is_what_random_masks_hide(k, overlap, rate, span):
    tokenizer = KmerTokenizer(k, overlap=overlap)
    ids = np.full((400, 500), 5)
    ordinary = np.arange(5, tokenizer.vocab_size)
    hidden = mask_tokens(
        ids, np.random.default_rng(span), rate=rate, ordinary_ids=ordinary, mask_id=tokenizer.mask_id, span=span
    )
    by_row = hidden_bases(hidden.input_ids == tokenizer.mask_id, k, overlap)[:, k:-k].mean(axis=1)
    error = by_row.std() / np.sqrt(len(by_row))
    assert 0 < error < 0.003
    assert abs(by_row.mean() - expected_hidden_share(tokenizer, rate, span)) < 4 * error


def test_the_expected_share_in_closed_form():
    for rate in (0.022, 0.15, 0.9):
        assert expected_hidden_share(KmerTokenizer(6), rate) == pytest.approx((0.8 * rate) ** 6, rel=1e-9)
        for tokenizer in (KmerTokenizer(6, overlap=False), CharacterTokenizer(), KmerTokenizer(1)):
            for span in (1, 4):
                assert expected_hidden_share(tokenizer, rate, span) == pytest.approx(MASK_SHARE * rate, rel=1e-9)
    # Two words over a base, spans of two: both in one span, or in two that meet (the second begins there).
    start = span_start_rate(0.3, 2)
    one_span, later = 0.8 * start * (1 - start), 0.8 * start * (0.8 * start + (1 - start) * 0.8 * start)
    assert expected_hidden_share(KmerTokenizer(2), 0.3, 2) == pytest.approx(one_span + later, rel=1e-9)


def test_a_fate_for_each_word_would_show_most_bases_of_dnabert():
    share = expected_hidden_share(KmerTokenizer(6), 1 - 0.975**6, 6)
    assert share == pytest.approx(0.0249, abs=5e-5)
    one_by_one = expected_hidden_share(KmerTokenizer(6), 1 - 0.975**6, 6, mask_share=1.0) * MASK_SHARE**6
    assert one_by_one == pytest.approx(0.0088, abs=5e-5)


def test_spans_shorter_than_a_word_are_warned_of():
    for k in range(3, 9):
        tokenizer = KmerTokenizer(k)
        for rate in (0.022, 0.15):
            warned = [overlap_warning(tokenizer, rate, span) is not None for span in range(1, 2 * k + 1)]
            assert warned == [span < k for span in range(1, 2 * k + 1)]
    # 12% of the words masked twice in a row hide a base: more than a tenth, and little all the same.
    assert overlap_warning(KmerTokenizer(2), 0.15) is None
    assert expected_hidden_share(KmerTokenizer(2), 0.15) > HIDES_TOO_LITTLE * MASK_SHARE * 0.15


def test_the_warning_has_the_number_and_a_way_out():
    text = overlap_warning(KmerTokenizer(6), 0.15)
    assert text is not None
    for part in ("12.0% of the words", "0.0003% of the bases", "mask_span=6", "12 hides 7.3%", "side by side"):
        assert part in text
    assert overlap_warning(KmerTokenizer(6, overlap=False), 0.15) is None
    assert overlap_warning(CharacterTokenizer(), 0.022) is None
