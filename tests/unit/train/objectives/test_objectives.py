import hashlib
import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from lingome.tokens.characters import CharacterTokenizer
from lingome.train.objectives import (
    CausalObjective,
    ClassificationObjective,
    MaskedObjective,
    mask_tokens,
    masked_losses,
)

ORDINARY = np.arange(5, 25)


def draw(ids, seed=0, rate=0.15):
    return mask_tokens(ids, np.random.default_rng(seed), rate=rate, ordinary_ids=ORDINARY, mask_id=4)


@pytest.fixture(scope="module")
def ids():
    rng = np.random.default_rng(1)
    ids = rng.integers(5, 25, (400, 500)).astype(np.uint16)
    ids[:, 0], ids[:, -1], ids[:, 100] = 2, 3, 1
    return ids


def test_rate_and_fates_pass_a_chi_square_test(ids):
    hidden = draw(ids)
    can, chosen = (ids >= 5).sum(), hidden.masked.sum()
    assert chisquare([chosen, can - chosen], [0.15 * can, 0.85 * can]).pvalue > 1e-3
    now = hidden.input_ids[hidden.masked]
    # A random draw hits the true token once in 20, so 10% + 10%/20 seem kept.
    seen = [(now == 4).sum(), (now == hidden.targets).sum(), ((now != 4) & (now != hidden.targets)).sum()]
    assert chisquare(seen, [0.8 * chosen, 0.105 * chosen, 0.095 * chosen]).pvalue > 1e-3
    drawn = now[(now != 4) & (now != hidden.targets)]
    assert chisquare(np.bincount(drawn, minlength=25)[5:]).pvalue > 1e-3


def test_special_and_unknown_tokens_are_never_touched(ids):
    hidden = draw(ids, rate=0.9)
    assert not hidden.masked[ids < 5].any()
    assert (hidden.input_ids[ids < 5] == ids[ids < 5]).all()
    assert (hidden.input_ids[~hidden.masked] == ids[~hidden.masked]).all()
    assert (hidden.targets == ids[hidden.masked]).all()


def test_masks_are_a_function_of_the_generator(ids):
    assert all((a == b).all() for a, b in zip(draw(ids, 3), draw(ids, 3), strict=True))
    assert (draw(ids, 3).masked != draw(ids, 4).masked).any()


def test_at_least_one_token_is_chosen():
    ids = np.array([[2, 5, 6, 3]])
    assert all(draw(ids, seed, rate=1e-9).masked.sum() == 1 for seed in range(20))
    assert not draw(np.array([[2, 3]])).masked.any()


class Constant(nn.Module):
    """Gives the same logits everywhere."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, input_ids, attention_mask=None, masked=None):
        rows = int(masked.sum()) if masked is not None else len(input_ids)
        return self.logits.expand(rows, -1)


def test_masked_loss_of_uniform_logits_is_log_of_the_vocabulary():
    objective = MaskedObjective(CharacterTokenizer(), rate=0.5)
    ids = np.random.default_rng(0).integers(5, 9, (3, 40))
    size = objective.tokenizer.vocab_size
    loss = objective.loss(Constant([0.0] * size), {"input_ids": ids}, np.random.default_rng(0))
    assert loss.total.item() / loss.items == pytest.approx(np.log(size), rel=1e-6)
    losses = masked_losses(Constant([0.0] * size), objective.hide(ids, np.random.default_rng(0)))
    assert losses.shape == (int(loss.items),)


def test_classification_loss_equals_torch_with_class_weights():
    logits = [0.3, -1.0, 0.2]
    labels = np.array([0, 1, 2, 2])
    batch = {"input_ids": np.zeros((4, 2), int), "attention_mask": np.ones((4, 2), bool), "labels": labels}
    for weights in (None, [1.0, 2.0, 0.5]):
        loss = ClassificationObjective(weights).loss(Constant(logits), batch, np.random.default_rng(0))
        reference = nn.CrossEntropyLoss(weight=None if weights is None else torch.tensor(weights))
        expected = reference(torch.tensor(logits).expand(4, -1), torch.tensor(labels))
        assert loss.total.item() / loss.items == pytest.approx(expected.item(), rel=1e-6)


def test_single_masks_are_the_same_bits_as_in_the_packaged_results():
    ids = np.random.default_rng(1).integers(0, 25, (40, 50)).astype(np.uint16)
    rng, digest = np.random.default_rng(7), hashlib.sha256()
    for rate in (0.15, 0.5, 1e-9):
        for part in mask_tokens(ids, rng, rate=rate, ordinary_ids=ORDINARY, mask_id=4):
            digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(rng.random(4).tobytes())
    assert digest.hexdigest() == "5c0134c830f96e71fe77e9a46545c1b0d4ddfe86045fb4474e7129f9a3a22aae"


@pytest.mark.parametrize("span", [2, 3, 6])
def test_spans_keep_the_rate_everywhere_and_have_one_fate(span):
    ids = np.random.default_rng(1).integers(5, 25, (4000, 60))
    ids[:, 0], ids[:, -1], ids[:, 30] = 2, 3, 1
    hidden = mask_tokens(ids, np.random.default_rng(2), rate=0.15, ordinary_ids=ORDINARY, mask_id=4, span=span)
    assert not hidden.masked[ids < 5].any()
    # Every column alike, the first and last ones and those beside unknown tokens too.
    chosen = hidden.masked.sum(axis=0)[ids[0] >= 5]
    assert (np.abs(chosen / 4000 - 0.15) < 4.5 * np.sqrt(0.15 * 0.85 / 4000)).all()
    now = hidden.input_ids[hidden.masked]
    spread = np.sqrt(span * 0.8 * 0.2 / len(now))
    assert abs((now == 4).mean() - 0.8) < 4 * spread
    assert (hidden.targets == ids[hidden.masked]).all()
    # Alone in its run, a span is masked as a whole.
    runs = 0
    for row in range(500):
        padded = np.concatenate([[False], hidden.masked[row], [False]])
        first, end = np.flatnonzero(np.diff(padded.astype(int)) == 1), np.flatnonzero(np.diff(padded.astype(int)) == -1)
        for a, b in zip(first, end, strict=True):
            if b - a == span and not {0, 30, 59} & set(range(a - 1, b + 1)):
                runs += 1
                assert (hidden.input_ids[row, a:b] == 4).mean() in (0.0, 1.0)
    assert runs > 100


def test_the_longest_runs_of_rare_spans_are_spans():
    ids = np.full((200, 400), 7)
    masked = mask_tokens(ids, np.random.default_rng(0), rate=0.02, ordinary_ids=ORDINARY, mask_id=4, span=5).masked
    edges = np.diff(np.pad(masked, ((0, 0), (1, 1))).astype(int), axis=1)
    lengths = np.nonzero(edges.ravel() == -1)[0] - np.nonzero(edges.ravel() == 1)[0]
    assert (lengths == 5).mean() > 0.9
    assert abs(masked.mean() - 0.02) < 0.002


def test_at_least_one_span_is_chosen():
    ids = np.array([[2, 5, 6, 7, 8, 9, 3], [2, 5, 6, 7, 1, 9, 3]])
    for seed in range(20):
        hidden = mask_tokens(ids, np.random.default_rng(seed), rate=1e-9, ordinary_ids=ORDINARY, mask_id=4, span=3)
        rows, columns = hidden.masked.nonzero()
        assert len(set(rows)) == 1
        assert 1 <= len(columns) <= 3
        assert columns.max() - columns.min() < 3
    nothing = np.array([[2, 3]])
    hidden = mask_tokens(nothing, np.random.default_rng(0), rate=0.5, ordinary_ids=ORDINARY, mask_id=4, span=3)
    assert not hidden.masked.any()


def test_the_objective_masks_in_spans():
    ids = np.random.default_rng(0).integers(5, 9, (50, 60))
    masked = MaskedObjective(CharacterTokenizer(), 0.15, span=6).hide(ids, np.random.default_rng(0)).masked
    single = MaskedObjective(CharacterTokenizer(), 0.15).hide(ids, np.random.default_rng(0)).masked
    assert (masked[:, 1:] & masked[:, :-1]).sum() > 3 * (single[:, 1:] & single[:, :-1]).sum()


class Bigram(nn.Module):
    """Gives logits that depend on the token read, and on nothing else: row `i` of a table after token `i`."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(torch.as_tensor(table, dtype=torch.float32))

    def forward(self, input_ids, attention_mask=None):
        return self.table[input_ids]


LETTERS = CharacterTokenizer()
CAUSAL = CausalObjective(LETTERS)


def causal_loss(model, ids, mask=None):
    batch = {"input_ids": np.array(ids), **({} if mask is None else {"attention_mask": np.array(mask, dtype=bool)})}
    return CAUSAL.loss(model, batch, np.random.default_rng(0))


def test_causal_loss_by_hand():
    # After [CLS] comes A with 1/2; after A, C with 1/4; after C, the end with 1/5. Ids: A 5, C 6, [CLS] 2, [SEP] 3.
    chances = np.full((9, 9), 1 / 9)
    for before, after, p in [(2, 5, 1 / 2), (5, 6, 1 / 4), (6, 3, 1 / 5)]:
        chances[before] = (1 - p) / 8
        chances[before, after] = p
    loss = causal_loss(Bigram(np.log(chances)), [[2, 5, 6, 3]])
    assert loss.total.item() == pytest.approx(np.log(2 * 4 * 5), rel=1e-6)  # 3.6889
    assert loss.items == 3
    # An unknown letter is read, not guessed: A [UNK] C: ln 2, then C after [UNK] with 1/9, then the end, ln 5.
    loss = causal_loss(Bigram(np.log(chances)), [[2, 5, 1, 6, 3]])
    assert loss.total.item() == pytest.approx(np.log(2 * 9 * 5), rel=1e-6)
    assert loss.items == 3


def test_causal_loss_equals_a_sum_token_by_token_and_padding_counts_nothing():
    rng = np.random.default_rng(0)
    model = Bigram(rng.normal(size=(9, 9)))
    log_p = torch.log_softmax(model.table.detach().double(), dim=1).numpy()
    lengths = [7, 3, 5, 1]
    rows = [[2, *rng.integers(5, 9, n).tolist(), 3] for n in lengths]
    expected = -sum(log_p[a, b] for row in rows for a, b in itertools.pairwise(row))
    for left in (False, True):
        ids, mask = np.zeros((4, 12), dtype=int), np.zeros((4, 12), dtype=bool)
        for i, row in enumerate(rows):
            place = slice(12 - len(row), 12) if left else slice(0, len(row))
            ids[i, place], mask[i, place] = row, True
        loss = causal_loss(model, ids, mask)
        assert loss.total.item() == pytest.approx(expected, rel=1e-6)
        assert loss.items == sum(lengths) + 4
    model.zero_grad()
    loss.total.backward()
    assert model.table.grad[0].abs().sum() == 0  # nothing is learnt after padding
    one_by_one = sum(causal_loss(model, [row]).total.item() for row in rows)
    assert one_by_one == pytest.approx(expected, rel=1e-6)


def test_causal_loss_is_that_of_transformers():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(vocab_size=9, n_embd=16, n_layer=1, n_head=2, n_positions=32, bos_token_id=2,
                                     eos_token_id=3)
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    ids = torch.randint(5, 9, (3, 20))

    class Logits(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = theirs

        def forward(self, input_ids, attention_mask=None):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    loss = causal_loss(Logits(), ids.numpy())
    assert loss.items == 3 * 19
    assert loss.total.item() / loss.items == pytest.approx(theirs(input_ids=ids, labels=ids).loss.item(), rel=1e-5)
