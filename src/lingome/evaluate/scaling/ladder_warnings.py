"""What a reader of a ladder has to know before believing its recommendation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import chi2

from lingome.core.warnings import Level, RunWarning
from lingome.evaluate.scaling.laws import EXPONENTS

Row = Mapping[str, Any]
FAR = 10.0
"""Times beyond the ladder from which a law is not trusted."""


def find_warnings(tables: Mapping[str, Sequence[Row]], *, pass_tokens: float) -> list[RunWarning]:
    """Warn of what the tables of a ladder show.

    Parameters
    ----------
    tables : mapping
        ``ladder, ladder_laws, ladder_budget, ladder_baselines, ladder_noise``.
    pass_tokens : float
        Tokens of one pass over the training area.
    """
    runs = tables["ladder"]
    budgets = tables["ladder_budget"]
    rows = [
        *_far(budgets), *_chance(tables["ladder_noise"]), *_undetermined(tables["ladder_laws"], budgets),
        *_nothing_learnt(runs, tables["ladder_baselines"]),
    ]
    again = [row["name"] for row in runs if row["tokens"] > pass_tokens]
    if again:
        rows.append(RunWarning(
            "warn", "more than one pass",
            f"{len(again)} runs saw tokens twice: the laws are of new tokens; use a larger genome",
        ))
    needs = max(row["tokens"] for row in budgets)
    if needs > pass_tokens:
        rows.append(RunWarning(
            "info", "not enough sequence",
            f"the recommendation needs {needs:,.0f} tokens, the training area has {pass_tokens:,.0f}",
        ))
    return rows


def is_undetermined(row: Row) -> bool:
    """Say whether the interval of the best size of a recommendation, or of its length, spans more than ten times."""
    return any(row[f"{name}_high"] > FAR * row[f"{name}_low"] for name in ("parameters", "tokens"))


def _far(budgets: Sequence[Row]) -> list[RunWarning]:
    found = []
    for name, what in (("flops", "operations"), ("parameters", "parameters"), ("tokens", "tokens")):
        most = max(budgets, key=lambda row: float(row[f"{name}_beyond"]))
        if most[f"{name}_beyond"] > FAR * (1 + 1e-9):
            found.append(RunWarning(
                "warn", "extrapolation",
                f"{what} of the recommendation lie {most[f'{name}_beyond']:,.3g} times beyond the ladder "
                f"({most['law']}, {most['counted']}): more than {FAR:g} times, a law is a guess",
            ))
    return found


def _chance(noise: Sequence[Row]) -> list[RunWarning]:
    first = noise[0]
    if first["seed_sd"] is None:
        return [RunWarning("info", "chance is not known", "no run was repeated with another seed: ladder.seeds=3")]
    found = []
    for row in noise:
        seeds = row["seeds"]
        limit = row["seed_sd"] * math.sqrt((row["seeds"] - 1) / chi2.ppf(0.05, row["seeds"] - 1))
        if row["fit_sd"] > row["seed_sd"]:
            sure = row["fit_sd"] > limit
            found.append(RunWarning(
                "warn" if sure else "info", "the fit is worse than seed noise" if sure else "the fit and seed noise",
                f"runs lie {row['fit_sd']:.2g} nats (standard deviation) from the law of {row['law'].capitalize()} "
                f"({row['counted']}), {seeds} seeds {row['seed_sd']:.2g} from each other, at most {limit:.2g} by "
                f"so few seeds: " + ("the law does not describe this ladder" if sure else "that may be chance"),
            ))
    return found


def _undetermined(laws: Sequence[Row], budgets: Sequence[Row]) -> list[RunWarning]:
    found = [
        RunWarning(
            "warn", "undetermined",
            f"the best number of parameters lies anywhere from {row['parameters_low']:.3g} to "
            f"{row['parameters_high']:.3g} ({row['law']}, {row['counted']}): this ladder cannot tell; widen it",
        )
        for row in budgets if is_undetermined(row)
    ]
    floored = sorted({f"{row['value']} ({row['law']}, {row['counted']})" for row in laws
                      if row["value"].startswith("alpha") and row["fitted"] <= 1.001 * EXPONENTS[0]})
    if floored:
        found.append(RunWarning(
            "warn", "a fit against its bound",
            f"{', '.join(floored)} rests on its bound of {EXPONENTS[0]:g}: the law does not hold here, "
            "and its interval says nothing",
        ))
    floors = [row for row in laws if row["value"] == "E"]
    if any(row["low"] < 0.1 * row["fitted"] or row["fitted"] < 0.01 for row in floors):
        found.append(RunWarning(
            "info", "no floor yet",
            "the lowest loss there can be, E, may be near 0 as far as these runs tell: they are too short "
            "or too small to see it",
        ))
    without = [row["parameters"] for row in budgets if row["counted"] == budgets[0]["counted"]]
    if max(without) > 3 * min(without):
        found.append(RunWarning(
            "warn", "the laws disagree",
            f"for the same operations they ask for {min(without):,.0f} and {max(without):,.0f} parameters",
        ))
    return found


def _nothing_learnt(runs: Sequence[Row], baselines: Sequence[Row]) -> list[RunWarning]:
    found = []
    for line in baselines:
        worse = [row for row in runs if row["loss"] >= line["loss"]]
        if worse:
            level: Level = "warn" if line["name"] == "token frequencies" else "info"
            found.append(RunWarning(
                level, "a baseline is as good",
                f"{len(worse)} of {len(runs)} runs guess no better than {line['name']}",
            ))
    return found
