"""Runs of a ladder: which there are, how each is trained, what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.config.parts.ladder import LadderSettings
from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError
from lingome.models.presets import PRESETS, build_causal_lm, build_masked_lm, count_parameters, find_config, read_size
from lingome.train.pretraining.ladder import LadderRun, count_without_embeddings, list_runs, run_settings


def test_every_size_at_every_length_and_the_middle_again() -> None:
    ladder = LadderSettings(sizes=("32x1", "64x2", "96x3", "128x4"), tokens=(400, 100, 200, 800), seeds=3)
    runs = list_runs(ladder, seed=7)
    assert len(runs) == len(set(runs)) == 4 * 4 + 2
    assert runs[-2:] == [LadderRun("64x2", 200, 8), LadderRun("64x2", 200, 9)]
    assert LadderRun("64x2", 200, 7) in runs


def test_each_run_has_its_own_length_and_rate() -> None:
    settings = PretrainSettings(
        genome=Path("g.fa"), out=Path("runs/l"), ladder=LadderSettings(enabled=True, lr_power=0.5),
        train={"batch_tokens": 1000, "accumulate": 2, "lr": 1e-3},
    )
    own = run_settings(settings, LadderRun("64x2", 50_000, 4), Path("voc"), Path("runs/l/runs/x"))
    assert (own.train.max_steps, own.train.epochs, own.train.eval_every) == (25, None, None)
    assert own.train.lr == pytest.approx(2e-3)  # 1e-3 * (256 / 64) ** 0.5
    assert (own.preset, own.tokenizer, own.seed, own.ladder.enabled) == ("64x2", Path("voc"), 4, False)


def test_sizes_are_those_of_the_presets() -> None:
    assert [find_config(size) for size in ("32x1", "64x2", "256x4")] == [PRESETS[n] for n in ("nano", "tiny", "mini")]
    assert read_size("0x2") is None
    with pytest.raises(ConfigError, match="heads"):
        read_size("70x2")


def test_parameters_without_embeddings_by_hand() -> None:
    masked = build_masked_lm("32x1", vocab_size=50)
    layer, head, norms = 32 * 96 + 32 * 32 + 32 * 128 + 64 * 32, 32 * 32, 4 * 32
    assert count_without_embeddings(masked) == layer + head + norms == 11_392
    assert count_parameters(masked) == 11_392 + 50 * 32 + 50  # the tied table, and a bias of each token's score
    causal = build_causal_lm("32x1", vocab_size=50)
    layer = 32 * 96 + 32 * 32 + 3 * 32 * 96
    assert count_without_embeddings(causal) == layer + 3 * 32


@pytest.mark.parametrize(("given", "words"), [
    ({"sizes": ("32x1", "64x2", "wide")}, "widths times layers"),
    ({"sizes": ("32x1", "64x2")}, "at least 3"),
    ({"tokens": (10, 10, 20)}, "twice"),
    ({"budget_flops": 1e12, "budget_hours": 1}, "one budget"),
])
def test_ladders_that_make_no_sense(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LadderSettings(**given)


@pytest.mark.parametrize(("given", "words"), [
    ({"ladder": {"seeds": 2}}, "needs --ladder"),
    ({"ladder": {"enabled": True}, "train": {"max_steps": 5}}, "ladder.tokens"),
    ({"ladder": {"enabled": True}, "preset": "mini"}, "ladder.sizes"),
    ({"ladder": {"enabled": True}, "objective": "span"}, "masked or causal"),
    ({"ladder": {"enabled": True}, "validation_share": 0}, "validation_share"),
])
def test_settings_that_do_not_go_with_a_ladder(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PretrainSettings(genome=Path("g.fa"), out=Path("o"), **given)
