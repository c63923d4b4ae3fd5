"""What fits will take, from the cost of a step that is given."""

from __future__ import annotations

import numpy as np
import pytest

from lingome.config.finetune import TuneSettings
from lingome.core.errors import ConfigError
from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.train.cost import START_S, Cost
from lingome.tune import cost
from lingome.tune.cost import estimate_fits

TOKENIZER = CharacterTokenizer()
BODY = build_masked_lm("tiny", 9).body
ROWS = [np.full(98, 5, dtype=np.uint16)] * 40
SETTINGS = TuneSettings(epochs=2, evaluations=2, batch_tokens=1000)


def test_fits_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def given(model, objective, settings, load):
        seen.append((settings.batch_tokens, load, objective.loss(model, {"input_ids": np.full((3, 9), 5)},
                                                                 np.random.default_rng(0)).items))
        return Cost(7e8, 0.5, 4.0)

    monkeypatch.setattr(cost, "estimate_training", given)

    def seconds(*fits: str) -> float:
        parts = {"train": ROWS[:30], "valid": ROWS[:4], "test": ROWS[:6]}
        return estimate_fits(BODY, TOKENIZER, parts, ("a", "b"), fits, SETTINGS).seconds

    # 30 rows of 100 tokens, ten a batch: 3 steps an epoch. All 4,000 tokens are read in 4 s, a tenth for validation.
    assert seconds("full") == pytest.approx(START_S + 4 + 2 * 3 * 0.5 + 2 * 2 * 0.4)
    both = START_S + 4 + 2 / 3 * 2 * 3 * 0.5 + 2 * 2 * 0.4  # one of two layers: a step is two readings of three
    assert seconds("full", "last:1") == pytest.approx(seconds("full") + both)
    assert seconds("full", "full", "features") == pytest.approx(2 * seconds("full") + START_S + 4)
    # Timed alone: what was given is then the cost of a step that is one reading, or two.
    assert seconds("features") == pytest.approx(START_S + 4 * 3)
    assert seconds("last:1") == pytest.approx(START_S + 6 + 2 * 3 * 0.5 + 2 * 2 * 0.6)
    assert seen[0][0] == 1000
    assert (seen[0][1].longest, seen[0][1].mean, seen[0][1].valid_tokens) == (100, 100, 4000)
    assert seen[0][2] == 3


def test_more_rows_take_longer() -> None:
    few, many = (
        estimate_fits(BODY, TOKENIZER, {"train": ROWS * n, "valid": ROWS, "test": ROWS}, ("a", "b"), ["full"], SETTINGS)
        for n in (2, 40)
    )
    assert many.seconds > 3 * few.seconds - 2 * START_S
    assert many.memory_bytes > 1e7


def test_a_method_that_the_body_has_not() -> None:
    parts = dict.fromkeys(("train", "valid", "test"), ROWS)
    with pytest.raises(ConfigError, match="fewer layers"):
        estimate_fits(BODY, TOKENIZER, parts, ("a", "b"), ["last:3"], SETTINGS)
