"""Published masking schemes: names, and the statistics of what they draw."""

from typing import get_args

import numpy as np
import pytest

from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.train.objectives import MaskedObjective
from lingome.train.objectives.mask_schemes import MASK_SCHEMES, masked_objective

LETTERS = CharacterTokenizer()


def rows(tokenizer, n=600, length=300):
    """Random sequences, ends and one unknown letter in each."""
    rng = np.random.default_rng(0)
    ids = rng.integers(5, tokenizer.vocab_size, (n, length))
    ids[:, 0], ids[:, -1], ids[:, 100] = tokenizer.cls_id, tokenizer.sep_id, tokenizer.unk_id
    return ids


def test_the_settings_know_the_same_names():
    names = get_args(get_args(PretrainSettings.model_fields["mask_scheme"].annotation)[0])
    assert set(names) == set(MASK_SCHEMES)
    assert len(names) == 3


@pytest.mark.parametrize(("scheme", "rate"), [("bert", 0.15), ("grover", 0.022)])
def test_single_tokens_are_chosen_independently_at_the_published_rate(scheme, rate):
    ids = rows(LETTERS)
    hidden = masked_objective(LETTERS, scheme).hide(ids, np.random.default_rng(1))
    can = ids >= 5
    n = int(can.sum())
    assert not hidden.masked[~can].any()
    assert abs(hidden.masked.sum() / n - rate) < 4 * np.sqrt(rate * (1 - rate) / n)
    # Independent: two neighbours are both chosen as often as the product of their rates says.
    pairs = can[:, 1:] & can[:, :-1]
    both = (hidden.masked[:, 1:] & hidden.masked[:, :-1])[pairs]
    assert abs(both.mean() - rate**2) < 4.5 * np.sqrt(rate**2 / pairs.sum())
    # 80% behind [MASK], 10% kept; of the 10% drawn at random, a quarter hit the true one of four letters.
    now = hidden.input_ids[hidden.masked]
    spread = 4 * np.sqrt(0.8 * 0.2 / len(now))
    assert abs((now == LETTERS.mask_id).mean() - 0.8) < spread
    assert abs((now == hidden.targets).mean() - 0.125) < spread


@pytest.mark.parametrize(("k", "rate"), [(3, 0.0731), (6, 0.1409)])
def test_dnabert_chooses_k_words_in_a_row(k, rate):
    words = KmerTokenizer(k)
    objective = masked_objective(words, "dnabert")
    assert objective.span == k
    assert objective.rate == pytest.approx(rate, abs=5e-5)  # 1 - 0.975^k, by hand
    masked = objective.hide(rows(words), np.random.default_rng(1)).masked
    assert abs(masked[:, 1:100].mean() - rate) < 4.5 * np.sqrt(k * rate * (1 - rate) / masked[:, 1:100].size)
    # A run of words begins at a word with probability 0.025 wherever the k words before it begin none.
    inside = masked[:, 10:90]
    begins = inside[:, 1:] & ~inside[:, :-1]
    expected = 0.025 * 0.975**k
    assert abs(begins.mean() - expected) < 4.5 * np.sqrt(expected / begins.size)
    # Runs shorter than k only end at the border of a row or beside an unknown letter.
    edges = np.diff(np.pad(masked[:, 1:100], ((0, 0), (1, 1))).astype(int), axis=1)
    first, end = np.nonzero(edges == 1)[1], np.nonzero(edges == -1)[1]
    assert all(b - a >= k for a, b in zip(first, end, strict=True) if a > 0 and b < 99)


def test_bert_is_what_no_name_means():
    assert masked_objective(LETTERS, "bert") == masked_objective(LETTERS) == MaskedObjective(LETTERS, 0.15, 1)
    assert masked_objective(LETTERS, None, 0.3, 4) == MaskedObjective(LETTERS, 0.3, 4)


def test_schemes_that_do_not_fit_are_refused():
    bpe = train_bpe([np.frombuffer(b"GATTACA" * 9, dtype=np.uint8)], 3).tokenizer
    for tokenizer in (bpe, LETTERS, KmerTokenizer(3, overlap=False), KmerTokenizer(1)):
        with pytest.raises(ConfigError, match="overlapping words"):
            masked_objective(tokenizer, "dnabert")
    with pytest.raises(ConfigError, match="no such masking scheme"):
        masked_objective(LETTERS, "electra")
    with pytest.raises(ConfigError, match="brings its rate"):
        masked_objective(LETTERS, "bert", 0.2)
