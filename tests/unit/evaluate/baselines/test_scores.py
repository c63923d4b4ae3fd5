"""What scores stand beside: letters counted by hand, rank correlations, windows of long sequences."""

import math

import numpy as np
import pytest
from scipy import stats

from lingome.core.errors import ConfigError
from lingome.data.variants import Edit, Variant
from lingome.evaluate.baselines.letters import delta_log_likelihoods, fit_letters, held_out_scores
from lingome.evaluate.baselines.scores import (
    Contender,
    change_rows,
    measured_column,
    sequence_rows,
    with_random_weights,
)
from lingome.evaluate.language.whole_sequences import score_whole
from lingome.evaluate.measures.correlation import spearman, spearman_interval
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.models.scoring.scores import Allele, score_sequences
from lingome.tokens.alphabet import DNA, PROTEIN
from lingome.tokens.characters import CharacterTokenizer

LETTERS = CharacterTokenizer()


def test_rank_correlation_is_scipys_and_its_interval_covers_and_narrows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = x + rng.normal(size=300)
    tied = np.round(y)
    assert spearman(x, tied) == pytest.approx(stats.spearmanr(x, tied).statistic)
    assert math.isnan(spearman(np.ones(5), np.arange(5)))
    whole = spearman_interval(x, y, n_resamples=300)
    assert whole.low < whole.value < whole.high
    # Each item three times over: as single items the interval is too narrow, as groups it is as wide as before.
    x3, y3, groups = np.repeat(x, 3), np.repeat(y, 3), np.repeat(np.arange(300), 3)
    blind, grouped = (spearman_interval(x3, y3, some, 300) for some in (None, groups))
    assert (blind.high - blind.low) / (whole.high - whole.low) < 0.75
    assert 0.8 < (grouped.high - grouped.low) / (whole.high - whole.low) < 1.25


def test_frequencies_of_residues_are_counts_with_one_added():
    letters = fit_letters(["MMMK"], PROTEIN)
    assert letters.log_likelihood("MKX") == pytest.approx(math.log(4 / 24) + math.log(2 / 24))
    delta = delta_log_likelihoods(letters, [Allele("MK", (Edit(0, "M", "V"),))])
    assert delta[0] == pytest.approx(math.log(1 / 24) - math.log(4 / 24))
    name, alone = held_out_scores(["ACGT"], DNA)
    assert (name, alone[0]) == ("equally likely letters", pytest.approx(-4 * math.log(4)))


def test_bases_of_a_period_are_foretold_by_those_of_the_other_half():
    name, scores = held_out_scores(["ACG" * 100] * 4, DNA)
    assert "Markov" in name
    assert (scores / 300 > -0.2).all()  # nats a base, 1.39 if they were equally likely
    random = "".join(np.random.default_rng(0).choice(list("ACGT"), 400))
    _, mixed = held_out_scores(["ACG" * 100, random] * 2, DNA)
    assert mixed[1] / 400 < -1.3
    first, second = ("".join(np.random.default_rng(seed).choice(list("ACGT"), 20_000)) for seed in (1, 2))
    assert fit_letters([first], DNA).log_likelihood(second) / 20_000 == pytest.approx(-math.log(4), abs=0.02)


def test_tables_hold_bits_a_letter_and_correlations_of_the_picked():
    row = sequence_rows([Contender("x", "model", np.array([0, 2]), np.array([-10.0, -30.0]))],
                        np.array([5, 99, 10]), "base")[0]
    assert row["bits_per_base"] == pytest.approx(40 / math.log(2) / 15)
    measured = np.array([1.0, np.nan, 2.0, 3.0, 4.0])
    row = change_rows([Contender("x", "model", np.array([0, 1, 2, 3]), np.array([0.1, 9, 0.2, 0.0]))], measured,
                      list("abcde"), 0)[0]
    assert (row["n"], row["spearman"]) == (3, pytest.approx(-0.5))
    variants = [Variant("c", 0, "A", "G", "", "", {"effect": cell}) for cell in ("1", "NA")]
    assert np.isnan(measured_column(variants, "effect")[1])
    for name, rows in (("other", variants), ("effect", variants[1:])):
        with pytest.raises(ConfigError, match="column"):
            measured_column(rows, name)


def test_long_sequences_go_by_windows_that_add_up():
    model = build_causal_lm(
        DecoderConfig(hidden_size=32, n_layers=1, n_heads=2, n_kv_heads=1, ffn_size=64, max_positions=22), 9, 0)
    text = "ACGTTGCAAC" * 5
    scores, n_windows = score_whole(model, LETTERS, [text, text[:20]], "log_likelihood", too_long="window")
    parts = score_sequences(model, LETTERS, [text[:17], text[17:34], text[34:], text[:20]])
    assert n_windows.tolist() == [3, 1]
    assert scores[0].score == pytest.approx(sum(part.score for part in parts[:3]), rel=1e-6)
    assert scores[0].bits_per_letter == pytest.approx(-scores[0].score / math.log(2) / 50)
    assert scores[1].score == pytest.approx(parts[3].score, rel=1e-6)
    both, _ = score_whole(model, LETTERS, ["ACGTTG"], "log_likelihood", strands="both")
    one, other = score_sequences(model, LETTERS, ["ACGTTG", "CAACGT"])
    assert both[0].score == pytest.approx((one.score + other.score) / 2, rel=1e-6)
    with pytest.raises(ConfigError, match="different stretches"):
        score_whole(model, LETTERS, [text], "log_likelihood", too_long="truncate", strands="both")


def test_random_weights_are_those_of_a_new_model():
    shape = TransformerConfig(vocab_size=9, hidden_size=32, n_layers=1, n_heads=2, ffn_size=48, max_positions=64,
                              pad_id=0, cls_id=2, sep_id=3)
    model = build_masked_lm(shape, LETTERS.vocab_size, seed=1)
    again = with_random_weights(model, 2)
    expected = build_masked_lm(shape, LETTERS.vocab_size, seed=2)
    for (name, one), other in zip(again.named_parameters(), expected.parameters(), strict=True):
        assert (one == other).all(), name
