import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from lingome.tokens.characters import CharacterTokenizer
from lingome.train.objectives import ClassificationObjective, MaskedObjective, mask_tokens, masked_losses

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
