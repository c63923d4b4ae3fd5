"""Conventions on models whose conditionals are known, and on small real models beside a naive loop."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lingome.core.errors import ConfigError, DataError
from lingome.data.variants import Edit, parse_mutations
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.models.scoring.conventions import CONVENTIONS, find_convention
from lingome.models.scoring.saturation import saturate, score_changes
from lingome.models.scoring.scores import (
    Allele,
    apply_edits,
    on_other_strand,
    score_alleles,
    score_sequences,
    score_tokens,
)
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer

LETTERS = CharacterTokenizer()
BPE = train_bpe([np.frombuffer(b"GATTACAGATTGCACCGTTAAGC" * 20, dtype=np.uint8)], 12).tokenizer
FILLS = ("wt_fill", "mut_fill", "mask_fill", "match_fill")
MASKED = ("pll", "wt_marginal", *FILLS)
SMALL = TransformerConfig(vocab_size=9, hidden_size=32, n_layers=2, n_heads=2, ffn_size=48, max_positions=128,
                          pad_id=0, cls_id=2, sep_id=3)


class Joint(nn.Module):
    """Knows the joint probability of three letters, shape (4, 4, 4), and gives each from those it sees.

    A token that is not masked is guessed from the others, as if it were.
    """

    def __init__(self, chances):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.chances = chances
        self.config = SimpleNamespace(max_positions=5)

    def forward(self, ids, mask, asked):
        assert ids.shape[1] == 5
        rows = []
        for row, column in asked.nonzero().tolist():
            logits = torch.full((9,), -1e9, dtype=torch.float64)
            logits[5:] = torch.from_numpy(np.log(conditional(self.chances, ids[row, 1:4].tolist(), column - 1)))
            rows.append(logits)
        return torch.stack(rows)


def conditional(chances, ids, place):
    """P(letter at `place` | the letters that are not masked elsewhere), worked from the joint."""
    total = np.zeros(4)
    for state in itertools.product(range(4), repeat=3):
        if all(ids[i] == 4 or ids[i] - 5 == state[i] for i in range(3) if i != place):
            total[state[place]] += chances[state]
    return total / total.sum()


def letter(chances, shown, place, wanted):
    """ln P(wanted at place | shown), letters as text and ? for what is hidden."""
    ids = [4 if one == "?" else 5 + "ACGT".index(one) for one in shown]
    return math.log(conditional(chances, ids, place)["ACGT".index(wanted)])


JOINT = np.random.default_rng(0).dirichlet(np.ones(64)).reshape(4, 4, 4)
DOUBLE = Allele("ACG", parse_mutations("A1T:G3C"))  # ACG -> TCC


def by_hand(name, q=JOINT):
    """The double mutant ACG -> TCC, each convention written out."""
    def p(shown, place, wanted):
        return letter(q, shown, place, wanted)

    if name == "pll":
        return (p("?CC", 0, "T") + p("T?C", 1, "C") + p("TC?", 2, "C")) - (
            p("?CG", 0, "A") + p("A?G", 1, "C") + p("AC?", 2, "G"))
    return {
        "wt_marginal": p("?CG", 0, "T") - p("?CG", 0, "A") + p("AC?", 2, "C") - p("AC?", 2, "G"),
        "wt_fill": p("?CG", 0, "T") - p("?CG", 0, "A") + p("AC?", 2, "C") - p("AC?", 2, "G"),
        "mut_fill": p("?CC", 0, "T") - p("?CC", 0, "A") + p("TC?", 2, "C") - p("TC?", 2, "G"),
        "mask_fill": p("?C?", 0, "T") - p("?C?", 0, "A") + p("?C?", 2, "C") - p("?C?", 2, "G"),
        "match_fill": p("?CC", 0, "T") - p("?CG", 0, "A") + p("TC?", 2, "C") - p("AC?", 2, "G"),
    }[name]


@pytest.mark.parametrize("name", MASKED)
def test_conventions_of_a_double_mutant_are_what_their_formulas_say(name):
    assert score_alleles(Joint(JOINT), LETTERS, [DOUBLE], name)[0] == pytest.approx(by_hand(name), abs=1e-5)


def test_independent_letters_make_all_conventions_one_and_a_coupling_tells_them_apart():
    letters = np.random.default_rng(1).dirichlet(np.ones(4), 3)
    independent = np.einsum("a,b,c->abc", *letters)
    expected = math.log(letters[0, 3] / letters[0, 0]) + math.log(letters[2, 1] / letters[2, 2])
    for name in MASKED:
        assert score_alleles(Joint(independent), LETTERS, [DOUBLE], name)[0] == pytest.approx(expected, abs=1e-5)
    # A Potts pair: weight exp(J) where places 0 and 2 hold equal letters. ACA -> TCT breaks and makes a pair: with
    # the other place at the wild type each step loses J, at the mutant each gains J, with both hidden nothing.
    J = 1.3
    potts = np.ones((4, 4, 4)) * np.exp(J * np.eye(4))[:, None, :]
    both = Allele("ACA", parse_mutations("A1T:A3T"))
    expected = {"mask_fill": 0, "wt_fill": -2 * J, "mut_fill": 2 * J, "match_fill": 0, "pll": 0}
    for name, value in expected.items():
        assert score_alleles(Joint(potts / potts.sum()), LETTERS, [both], name)[0] == pytest.approx(value, abs=1e-5)


def test_fills_of_one_substitution_are_one_number_and_pll_of_a_uniform_model_is_its_alphabet():
    single = Allele("ACG", parse_mutations("C2T"))
    values = [score_alleles(Joint(JOINT), LETTERS, [single], name)[0] for name in FILLS]
    assert values == pytest.approx([values[0]] * 4, abs=1e-6)
    uniform = score_sequences(Joint(np.full((4, 4, 4), 1 / 64)), LETTERS, ["ACG"])[0]
    assert uniform.score == pytest.approx(-3 * math.log(4), abs=1e-5)
    assert (uniform.bits_per_letter, uniform.n_tokens) == (pytest.approx(2, abs=1e-5), 3)


def test_the_first_and_the_last_letter_are_scored_at_their_own_place():
    only_ends = np.full((4, 4, 4), 1e-9)
    only_ends[0, :, 2] = 1.0  # A?G is likely, everything else is not
    model = Joint(only_ends / only_ends.sum())
    for mutation in ("A1T", "G3T"):
        assert score_alleles(model, LETTERS, [Allele("ACG", parse_mutations(mutation))], "mask_fill")[0] < -15
    assert abs(score_alleles(model, LETTERS, [Allele("ACG", parse_mutations("C2T"))], "mask_fill")[0]) < 1e-5


def random_dna(rng, n):
    return "".join(rng.choice(list("ACGT"), n))


def naive_log_probs(model, tokenizer, ids, hidden=()):
    row = np.array([tokenizer.cls_id, *ids, tokenizer.sep_id], dtype=np.int64)
    row[[place + 1 for place in hidden]] = tokenizer.mask_id
    with torch.no_grad():
        return torch.log_softmax(model(torch.from_numpy(row)[None]), dim=-1)[0, 1:-1].double().numpy()


def naive_pll(model, tokenizer, text):
    ids = tokenizer.encode(text).input_ids.astype(int)
    return sum(naive_log_probs(model, tokenizer, ids, [i])[i, one] for i, one in enumerate(ids))


def naive(model, tokenizer, allele, name):
    """Every row run alone, nothing shared; changed tokens told from a list of spans."""
    w, a = tokenizer.encode(allele.sequence), tokenizer.encode(apply_edits(allele))
    spans = [list(zip(one.offsets.tolist(), one.input_ids.tolist(), strict=False)) for one in (w, a)]
    M = [[i for i, span in enumerate(spans[k]) if span not in spans[1 - k]] for k in (0, 1)]
    w, a = w.input_ids.astype(int), a.input_ids.astype(int)

    def p(ids, place, wanted, hidden):
        return naive_log_probs(model, tokenizer, ids, hidden)[place, wanted]

    if name == "pll":
        return naive_pll(model, tokenizer, apply_edits(allele)) - naive_pll(model, tokenizer, allele.sequence)
    if name == "mask_fill":
        return sum(p(a, i, a[i], M[1]) for i in M[1]) - sum(p(w, i, w[i], M[0]) for i in M[0])
    if name == "match_fill":
        return sum(p(a, i, a[i], [i]) for i in M[1]) - sum(p(w, i, w[i], [i]) for i in M[0])
    context, hide = {"wt_marginal": (w, False), "wt_fill": (w, True), "mut_fill": (a, True)}[name]
    return sum(p(context, i, a[i], [i] * hide) - p(context, i, w[i], [i] * hide) for i in M[0])


def some_alleles(rng, n, length=40):
    alleles = []
    for _ in range(n):
        text = random_dna(rng, length)
        places = sorted(rng.choice(length, 1 + int(rng.integers(2)), replace=False).tolist())
        edits = tuple(Edit(at, text[at], rng.choice([x for x in "ACGT" if x != text[at]])) for at in places)
        alleles.append(Allele(text, edits))
    return alleles


@pytest.mark.parametrize(
    ("tokenizer", "name"),
    [*((LETTERS, name) for name in MASKED), *((BPE, name) for name in ("pll", "mask_fill", "match_fill"))],
    ids=lambda one: one if isinstance(one, str) else one.kind,
)
def test_a_real_model_scores_as_a_naive_loop_does_whatever_batch_and_order(tokenizer, name):
    model = build_masked_lm(SMALL, tokenizer.vocab_size, seed=3).eval()
    with torch.no_grad():  # random heads say almost the same of everything
        model.head.decoder.bias.normal_(generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    few = name == "pll"  # a row a token
    alleles = some_alleles(rng, 1 if few else 6, 16 if few else 40) + some_alleles(rng, 2, 11 if few else 25)
    expected = np.array([naive(model, tokenizer, one, name) for one in alleles])
    assert np.ptp(expected) > 0.1
    for batch_tokens in (1, 100, 10_000):
        scores = score_alleles(model, tokenizer, alleles, name, batch_tokens=batch_tokens)
        assert np.abs(scores - expected).max() < 1e-5 * max(1, np.abs(expected).max()) * 3
    order = rng.permutation(len(alleles))
    turned = score_alleles(model, tokenizer, [alleles[i] for i in order], name)
    assert np.abs(turned - expected[order]).max() < 3e-5
    both = score_alleles(model, tokenizer, alleles, name, strands="both")
    other = score_alleles(model, tokenizer, [on_other_strand(one) for one in alleles], name)
    assert np.abs(both - (expected + other) / 2).max() < 3e-5


def test_pll_of_whole_sequences_is_the_naive_sum_and_unknown_letters_are_only_seen():
    model = build_masked_lm(SMALL, BPE.vocab_size, seed=1).eval()
    rng = np.random.default_rng(2)
    texts = [random_dna(rng, n) for n in (1, 60, 17, 33)]
    for text, score in zip(texts, score_sequences(model, BPE, texts), strict=True):
        assert score.score == pytest.approx(naive_pll(model, BPE, text), rel=1e-5)
        assert score.bits_per_letter == pytest.approx(-score.score / math.log(2) / len(text))
        assert (score.n_tokens, score.n_unknown) == (len(BPE.encode(text).input_ids), 0)
    holed = score_sequences(model, BPE, ["GATTNACA"])[0]
    assert (holed.n_letters, holed.n_unknown) == (7, 1)


def test_a_causal_change_is_the_difference_of_two_log_likelihoods_insertions_too():
    model = build_causal_lm(
        DecoderConfig(hidden_size=32, n_layers=2, n_heads=2, n_kv_heads=1, ffn_size=64, max_positions=64), 9, 0
    )
    alleles = [
        Allele("ACGTACGTTA", (Edit(4, "A", "G"),)), Allele("ACGTACGTTA", (Edit(0, "AC", ""),)),
        Allele("ACGTACGTTA", (Edit(9, "A", "ACC"),)), Allele("AAAAAAAA", (Edit(3, "A", "AAA"),)),
    ]
    whole = [score_sequences(model, LETTERS, [apply_edits(one), one.sequence]) for one in alleles]
    scores = score_alleles(model, LETTERS, alleles)
    assert scores == pytest.approx([alt.score - ref.score for alt, ref in whole], abs=1e-5)


def test_a_change_of_any_length_is_the_same_one_on_the_other_strand():
    turn = str.maketrans("ACGT", "TGCA")
    edits = (Edit(1, "C", "T"), Edit(3, "TA", ""), Edit(7, "T", "GGA"))
    for some in (edits, edits[1:2], edits[2:], ()):
        allele = Allele("ACGTACGTTA", some, "x.tsv:2")
        other = on_other_strand(allele)
        assert apply_edits(other) == apply_edits(allele).translate(turn)[::-1]
        assert on_other_strand(other) == allele


@pytest.mark.parametrize("name", ["wt_marginal", "mask_fill"])
def test_all_letters_at_once_are_the_scores_of_single_substitutions(name):
    model = build_masked_lm(SMALL, LETTERS.vocab_size, seed=5).eval()
    rng = np.random.default_rng(3)
    windows, places = [random_dna(rng, 30), random_dna(rng, 21)], [np.array([0, 7, 29]), np.array([20, 4])]
    for strands in ("forward", "both"):
        tables = saturate(model, LETTERS, windows, places, name, strands=strands)
        for window, some, table in zip(windows, places, tables, strict=True):
            for place, row in zip(some, table, strict=True):
                others = [alt for alt in "ACGT" if alt != window[place]]
                alleles = [Allele(window, (Edit(place, window[place], alt),)) for alt in others]
                expected = dict(zip(others, score_alleles(model, LETTERS, alleles, name, strands=strands), strict=True))
                expected[window[place]] = 0.0
                assert row == pytest.approx([expected[letter] for letter in "ACGT"], abs=1e-5)
    assert score_changes(model, LETTERS, [], name).shape == (0,)
    assert np.isnan(saturate(model, LETTERS, ["ACN"], [np.array([2])], name)[0]).all()
    with pytest.raises(ConfigError, match="one letter"):
        saturate(build_masked_lm(SMALL, BPE.vocab_size, seed=5), BPE, ["ACGT"], [np.array([0])], "mask_fill")


def test_bf16_stays_near():
    model = build_masked_lm(SMALL, LETTERS.vocab_size, seed=3)
    alleles = some_alleles(np.random.default_rng(0), 20)
    exact, rough = (score_alleles(model, LETTERS, alleles, "mask_fill", precision=p) for p in ("fp32", "bf16"))
    assert 0 < np.abs(exact - rough).max() < 0.02


def test_what_has_no_meaning_is_refused():
    letters = build_masked_lm(SMALL, LETTERS.vocab_size, seed=0)
    pairs, words = build_masked_lm(SMALL, BPE.vocab_size, seed=0), KmerTokenizer(3)
    kmers, protein = build_masked_lm(SMALL, words.vocab_size, seed=0), CharacterTokenizer(PROTEIN)
    one = [Allele("ACGT", (Edit(1, "C", "T"),), "x.tsv:2")]
    gone = [Allele("ACGT", (Edit(1, "C", ""),), "x.tsv:2")]
    for model, tokenizer, alleles, name, kind, message in (
        (letters, LETTERS, one, "log_likelihood", ConfigError, "masked model: pll"),
        (pairs, BPE, one, "wt_marginal", ConfigError, "single letters"),
        (kmers, words, one, "pll", ConfigError, "read off its neighbours"),
        (letters, LETTERS, one, "masked_marginal", ConfigError, "no such convention"),
        (letters, LETTERS, gone, "mask_fill", DataError, "x.tsv:2"),
        (letters, LETTERS, [Allele("ACNT", (Edit(2, "N", "T"),))], "mask_fill", DataError, "does not know"),
        (letters, LETTERS, [Allele("ACGT", (Edit(1, "G", "T"),))], "pll", DataError, "does not fit its window"),
        (letters, LETTERS, [Allele("A" * 200, (Edit(1, "A", "T"),))], "pll", DataError, "smaller window_bp"),
    ):
        with pytest.raises(kind, match=message):
            score_alleles(model, tokenizer, alleles, name)
    with pytest.raises(ConfigError, match="two strands"):
        score_alleles(build_masked_lm(SMALL, protein.vocab_size, seed=0), protein,
                      [Allele("MKV", (Edit(1, "K", "R"),))], strands="both")
    with pytest.raises(ConfigError, match="a sequence alone"):
        find_convention("mask_fill", letters, LETTERS, changes=False)
    with pytest.raises(DataError, match="no sequences"):
        score_tokens(letters, LETTERS, [], "pll")
    assert {name for name, one in CONVENTIONS.items() if one.causal} == {"log_likelihood"}
