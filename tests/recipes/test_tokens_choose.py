"""``lingome tokens choose``: the recipe on a small real genome."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.config.settings import load_settings
from lingome.config.tokens_choose import ChooseSettings, NextKmerSettings
from lingome.core.errors import ConfigError
from lingome.core.rundir import RunDir
from lingome.recipes.tokens_choose import plan, recommend, run
from lingome.tokens.load import load_tokenizer

QUICK = NextKmerSettings(
    preset="nano", pretrain_steps=2, windows_per_step=8, window_bp=100, finetune_steps=4, finetune_batch=64,
    n_train=256, n_test=100, markov_bp=300_000,
)
ROOT = Path(__file__).parents[2]


def test_candidates_are_compared_and_one_is_recommended(tmp_path: Path, data_dir: Path) -> None:
    settings = ChooseSettings(
        genome=data_dir / "ci" / "chr20_30M_32M.fa.gz", out=tmp_path / "run", merges=(0, 20), kmers=(3,), next=QUICK
    )
    assert dict(plan(settings).rows)["candidates"].startswith("3,")
    assert not settings.out.exists()
    outcome = run(settings)
    rows = RunDir.open(settings.out).read_table("next_kmer")
    assert len(rows) == 15
    assert {row["vocabulary"]: row["merges"] for row in rows} == {"BPE-0": 0, "BPE-20": 20, "3-mers": None}
    by_name = {row["vocabulary"]: row for row in rows}
    assert by_name["BPE-0"]["bases_per_token"] == 1
    assert by_name["BPE-20"]["bases_per_token"] > 1.3
    assert by_name["BPE-20"]["used_share"] > 0.9
    assert {row["k"] for row in rows} == {2, 3, 4, 5, 6}
    assert all(row["baseline"] > 2 * row["chance"] for row in rows if row["k"] < 5)
    tokenizer = load_tokenizer(settings.out / "tokenizer")
    assert tokenizer.vocab_size == by_name[outcome.message.split(" (")[0]]["vocab_size"]
    assert len(outcome.tables[0].rows) == 5


def _row(name: str, size: int, low: float, mean: float, high: float) -> dict[str, object]:
    return {
        "vocabulary": name, "vocab_size": size, "mean_low": low, "mean_accuracy": mean, "mean_high": high,
        "accuracy": mean, "baseline": 0.0, "k": 2,
    }


def test_the_smallest_that_overlaps_the_best_is_recommended() -> None:
    rows = [_row("a", 9, 0.1, 0.11, 0.12), _row("b", 109, 0.14, 0.15, 0.17), _row("c", 609, 0.16, 0.18, 0.2)]
    name, reason = recommend(rows)
    assert name == "b"
    assert "overlaps that of the best, c" in reason
    assert recommend(rows[:1] + rows[2:])[0] == "c"


def test_settings_that_make_no_sense_are_refused() -> None:
    for override in ("merges=[5]", "next.ks=[3,2]", "kmers=[9]"):
        with pytest.raises(ConfigError):
            load_settings(ChooseSettings, None, ["genome=g.fa", override])


def test_shipped_settings_are_valid() -> None:
    files = sorted((ROOT / "configs" / "tokens_choose").glob("*.yaml"))
    assert len(files) == 2
    for file in files:
        assert len(load_settings(ChooseSettings, file).merges) >= 4
