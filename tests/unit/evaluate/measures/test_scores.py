"""The tables of a report have the columns and values that were promised."""

from __future__ import annotations

import numpy as np
import pytest

from lingome.core.errors import DataError
from lingome.evaluate.measures.metrics import measure
from lingome.evaluate.measures.scores import Scored, calibration_rows, score_table, verdict, wilson


def _scored(name: str = "m", kind: str = "model", strength: float = 0.5, n: int = 300) -> Scored:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    return Scored(name, kind, labels, np.clip(rng.random((2, n)) * (1 - strength) + labels * strength, 0, 1), "full")


def test_columns_and_values() -> None:
    one = _scored()._replace(threshold=(0.3, 0.4))
    tables = score_table([one], n_resamples=100)
    row = tables.scores[0]
    assert list(row) == [
        "name", "kind", "group", "seeds", "mcc", "mcc_low", "mcc_high", "auroc", "auroc_low", "auroc_high",
        "auprc", "auprc_low", "auprc_high", "brier", "ece", "n_test", "n_positive", "threshold",
    ]
    each = [measure("mcc", one.labels, one.probabilities[fit], limit) for fit, limit in ((0, 0.3), (1, 0.4))]
    expected = sum(each) / 2
    assert row["mcc"] == pytest.approx(expected)
    assert row["n_positive"] == one.labels.sum()
    assert {curve["curve"] for curve in tables.curves} == {"roc", "pr"}
    assert len(tables.curves) == 202
    assert sum(bin_["n"] for bin_ in tables.calibration) == pytest.approx(300, abs=10)


def test_calibration_by_hand() -> None:
    rows = calibration_rows(Scored("m", "model", np.array([1, 0, 1, 1]), np.array([[0.82, 0.88, 0.85, 0.1]])))
    assert [row["n"] for row in rows] == [1, 3]
    assert rows[1]["predicted"] == pytest.approx(0.85)
    assert rows[1]["observed"] == pytest.approx(2 / 3)
    assert rows[1]["low"] < 2 / 3 < rows[1]["high"]


def test_wilson_interval_of_five_in_ten() -> None:
    # Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), score interval:
    # 81 of 263 gives 0.2553 to 0.3662
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_one_class_gives_empty_cells() -> None:
    tables = score_table([Scored("m", "model", np.ones(5, int), np.full((1, 5), 0.7))], n_resamples=100)
    assert tables.scores[0]["auroc"] is None
    assert tables.curves == []


def test_verdict_tells_better_worse_and_alike() -> None:
    weak, strong = _scored("weak", "baseline", 0.2), _scored("strong", "model", 0.6)
    assert verdict([strong, weak], n_resamples=200).startswith("strong beats the strongest baseline, weak")
    swapped = [strong._replace(kind="baseline"), weak._replace(kind="model")]
    assert verdict(swapped, n_resamples=200).startswith("weak is beaten by")
    assert "is no better than" in verdict([weak, weak._replace(kind="model")], n_resamples=200)
    assert "has to beat it" in verdict([weak])


def test_verdict_is_about_the_model_that_validation_chose() -> None:
    lucky, chosen = _scored("lucky on test", "model", 0.9), _scored("chosen", "model", 0.2)
    baseline = _scored("counts", "baseline", 0.6)
    said = verdict([lucky, chosen, baseline], chosen="chosen", n_resamples=200)
    assert said.startswith("It is beaten by the strongest baseline, counts")


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [([0, 1], [[0.1, 0.2, 0.3]]), ([0, -1], [[0.1, 0.2]]), ([0, 1], [[0.1, 1.2]]), ([0, 1], [[0.1, np.nan]])],
)
def test_what_does_not_fit_is_refused(labels: list[int], probabilities: list[list[float]]) -> None:
    with pytest.raises(DataError):
        score_table([Scored("m", "model", np.array(labels), np.array(probabilities))])
