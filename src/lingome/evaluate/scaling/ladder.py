"""What a ladder of models says: both laws fitted, with intervals, and a model recommended for a budget.

Three fits, because the laws count N in two ways: Chinchilla's with N without embeddings (what the charts draw)
and with all parameters, and Kaplan's, without embeddings. The same loss, the same runs; C = 6 N D with
the N of the fit. Intervals are percentiles over fits of runs drawn with replacement: how far the law could
move with other runs of this ladder. They do not cover a law of the wrong form, which is what extrapolation risks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, stdev
from typing import Any

import numpy as np

from lingome.core.warnings import RunWarning
from lingome.evaluate.language.likelihood import markov_baseline
from lingome.evaluate.scaling.ladder_warnings import find_warnings, is_undetermined
from lingome.evaluate.scaling.laws import (
    FLOPS_A_PARAMETER_AND_TOKEN,
    NAMES,
    Law,
    Optimum,
    ScalingLaw,
    bootstrap_law,
    find_optimum,
    fit_law,
)
from lingome.train.pretraining.model import Pretrained

Row = Mapping[str, Any]
WITHOUT = "without embeddings"
WITH = "all"
COUNTS = {WITHOUT: "parameters_without_embeddings", WITH: "parameters"}
FITS: tuple[tuple[Law, str], ...] = (("chinchilla", WITHOUT), ("chinchilla", WITH), ("kaplan", WITHOUT))
DEFAULT_BUDGET = 10.0
"""Times the largest run's operations: as far as the recommendation goes without a warning."""
CURVE_POINTS = 33


MEASURES: dict[str, Callable[[Optimum], float]] = {
    "parameters": lambda best: best.parameters, "tokens": lambda best: best.tokens,
    "tokens_a_parameter": lambda best: best.tokens_a_parameter, "loss": lambda best: best.loss,
}
"""What is recommended, each with an interval."""


@dataclass(frozen=True)
class LadderFit:
    """A law fitted to a ladder.

    Parameters
    ----------
    law, counted : str
        Which law, and which parameters N counts.
    runs : sequence of mapping
        The runs it is fitted to: one a size and length.
    fitted, draws : ScalingLaw
        The fit, and those of drawn runs.
    """

    law: Law
    counted: str
    runs: Sequence[Row]
    fitted: ScalingLaw
    draws: Sequence[ScalingLaw]

    @classmethod
    def of(cls, law: Law, counted: str, runs: Sequence[Row], *, repeats: int, seed: int) -> LadderFit:
        """Fit a law to runs, and again to `repeats` draws of them.

        Parameters
        ----------
        law, counted : str
            Which law, and which parameters N counts: ``all`` or ``without embeddings``.
        runs : sequence of mapping
            Rows of the table ``ladder``.
        repeats, seed : int
            Draws of runs, and what decides them.

        Raises
        ------
        DataError
            If there are too few runs, sizes or lengths.
        """
        columns = [[float(row[name]) for row in runs] for name in (COUNTS[counted], "tokens", "loss")]
        fitted = fit_law(law, *columns)
        return cls(law, counted, runs, fitted, bootstrap_law(fitted, *columns, repeats=repeats, seed=seed))

    def size(self, row: Row) -> float:
        """Give N of a run, as this fit counts it."""
        return float(row[COUNTS[self.counted]])

    def flops(self, row: Row) -> float:
        """Give C = 6 N D of a run."""
        return FLOPS_A_PARAMETER_AND_TOKEN * self.size(row) * float(row["tokens"])

    def rest(self, row: Row) -> float:
        """Give the measured loss minus the fitted one, in nats."""
        return float(row["loss"]) - float(self.fitted.loss(self.size(row), row["tokens"]))

    @property
    def spread(self) -> float:
        """How far runs lie from the fit: standard deviation (nats), for as many values as the law has."""
        free = max(1, len(self.runs) - len(NAMES[self.law]))
        return math.sqrt(sum(self.rest(row) ** 2 for row in self.runs) / free)

    def between(self, value: Callable[[ScalingLaw], float]) -> tuple[float, float]:
        """Give the 95% interval of a number of the law."""
        low, high = np.quantile([value(draw) for draw in self.draws], [0.025, 0.975])
        return float(low), float(high)

    @property
    def rate(self) -> float:
        """Operations per second of the largest size: median over its runs."""
        most = max(self.size(row) for row in self.runs)
        rates = [self.flops(row) / max(row["time_s"], 1e-9) for row in self.runs if self.size(row) == most]
        return float(median(rates))


@dataclass(frozen=True)
class Study:
    """What a ladder came to: tables of the run, what to know before believing them, and a sentence."""

    tables: dict[str, list[dict[str, Any]]]
    warnings: list[RunWarning]
    answer: str


def study_ladder(
    rows: Sequence[Row], *, seed: int, repeats: int = 200, budget_flops: float | None = None,
    budget_hours: float | None = None, baselines: Sequence[Row] = (), pass_tokens: float = math.inf,
) -> Study:
    """Fit both laws to a ladder and recommend a model.

    Parameters
    ----------
    rows : sequence of mapping
        A run each: ``name, size, seed, parameters, parameters_without_embeddings, tokens, loss, bits_per_base,
        loss_at_start, time_s``. Those of `seed` are fitted; others tell chance.
    seed : int
        Of the runs that are fitted, and of the draws.
    repeats : int
        Draws of the bootstrap.
    budget_flops, budget_hours : float, optional
        Operations, or hours at the rate of the largest size; else ten times the operations of the largest run.
    baselines : sequence of mapping
        ``name, loss``, in nats per token, on the same windows.
    pass_tokens : float
        Tokens of one pass over the training area.

    Raises
    ------
    DataError
        If there are too few runs, sizes or lengths to fit.
    """
    runs = [row for row in rows if row["seed"] == seed]
    fits = [LadderFit.of(law, counted, runs, repeats=repeats, seed=seed) for law, counted in FITS]
    budget = [_recommend(fit, _flops(fit, budget_flops, budget_hours)) for fit in fits]
    noise = seed_noise(rows)
    main = fits[0]
    curves = _curves(main, max(budget[0]["flops"], *(main.flops(row) for row in runs)))
    tables: dict[str, list[dict[str, Any]]] = {
        "ladder": [
            {**row, "flops": main.flops(row), "fitted": row["loss"] - main.rest(row),
             "in_fit": int(row["seed"] == seed)}
            for row in rows
        ],
        "ladder_laws": [line for fit in fits for line in _values(fit)],
        "ladder_budget": budget,
        "ladder_curves": curves,
        "ladder_baselines": [dict(row) for row in baselines],
        "ladder_noise": [
            {"law": fit.law, "counted": fit.counted, "fit_sd": fit.spread, "seed_sd": noise[0], "seeds": noise[1]}
            for fit in fits
        ],
    }
    return Study(tables, find_warnings(tables, pass_tokens=pass_tokens), _describe(budget[0], len(rows)))


def ladder_baselines(done: Pretrained) -> list[dict[str, Any]]:
    """Give the losses, in nats per token, of what is no network, on the windows that every run is measured on.

    Token frequencies; for a causal model also a Markov model of bases, whose bits are spread over the tokens.
    """
    nats_a_bit = done.unigram["loss"] / done.unigram["bits_per_base"]
    rows: list[dict[str, Any]] = [{"name": "token frequencies", **done.unigram}]
    for row in markov_baseline(done):
        bits = row["bits_per_base"]
        assert isinstance(bits, float)
        rows.append({"name": row["name"], "loss": bits * nats_a_bit, "bits_per_base": bits})
    return [{name: row[name] for name in ("name", "loss", "bits_per_base")} for row in rows]


def seed_noise(rows: Sequence[Row]) -> tuple[float | None, int]:
    """Give the standard deviation (nats) of one run's loss over its seeds, and how many there are; None for one."""
    groups: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        groups.setdefault((row["size"], row["tokens_wanted"]), []).append(float(row["loss"]))
    losses = max(groups.values(), key=len)
    return (stdev(losses), len(losses)) if len(losses) > 1 else (None, 1)


def _best(flops: float, read: Callable[[Optimum], float]) -> Callable[[ScalingLaw], float]:
    """Give the function from a law to a number of its best model for so many operations."""
    return lambda law: read(find_optimum(law, flops))


def _value(index: int) -> Callable[[ScalingLaw], float]:
    """Give the function from a law to one of its values."""
    return lambda law: law.values[index]


def _flops(fit: LadderFit, flops: float | None, hours: float | None) -> float:
    if hours is not None:
        return hours * 3600 * fit.rate
    return flops or DEFAULT_BUDGET * max(fit.flops(row) for row in fit.runs)


def _recommend(fit: LadderFit, flops: float) -> dict[str, Any]:
    """Give a line of the table ``ladder_budget``: N, D and the loss to expect, with 95% intervals."""
    best = find_optimum(fit.fitted, flops)
    row: dict[str, Any] = {
        "law": fit.law, "counted": fit.counted, "flops": flops, "hours": flops / fit.rate / 3600,
    }
    for name, read in MEASURES.items():
        low, high = fit.between(_best(flops, read))
        row |= {name: read(best), f"{name}_low": low, f"{name}_high": high}
    nats_to_bits = float(fit.runs[0]["bits_per_base"]) / float(fit.runs[0]["loss"])
    row |= {"perplexity": math.exp(min(best.loss, 700.0)), "bits_per_base": best.loss * nats_to_bits}
    found = (flops, best.parameters, best.tokens)
    for name, at, seen in zip(("flops", "parameters", "tokens"), found, _ranges(fit), strict=True):
        row[f"{name}_beyond"] = max(at / seen[1], seen[0] / at, 1.0) if name != "flops" else max(at / seen[1], 1.0)
    return row


def _ranges(fit: LadderFit) -> list[tuple[float, float]]:
    """Give the least and the most operations, parameters and tokens of the runs."""
    columns = (
        [fit.flops(row) for row in fit.runs], [fit.size(row) for row in fit.runs],
        [float(row["tokens"]) for row in fit.runs],
    )
    return [(min(column), max(column)) for column in columns]


def _values(fit: LadderFit) -> list[dict[str, Any]]:
    """Give lines of the table ``ladder_laws``: each value of the law with its interval."""
    lines = []
    for index, name in enumerate(NAMES[fit.law]):
        low, high = fit.between(_value(index))
        lines.append({
            "law": fit.law, "counted": fit.counted, "value": name, "fitted": fit.fitted.values[index],
            "low": low, "high": high,
        })
    return lines


def _curves(fit: LadderFit, most: float) -> list[dict[str, Any]]:
    """Give the table ``ladder_curves``: the best loss of each C, and the law along each size."""
    lines = []
    for flops in np.geomspace(min(fit.flops(row) for row in fit.runs), most, CURVE_POINTS).tolist():
        best = find_optimum(fit.fitted, flops)
        low, high = fit.between(_best(flops, MEASURES["loss"]))
        lines.append({"curve": "best", "size": "", "flops": flops, "tokens": best.tokens,
                      "parameters": best.parameters, "loss": best.loss, "low": low, "high": high})
    tokens = [float(row["tokens"]) for row in fit.runs]
    for size, n in {row["size"]: fit.size(row) for row in fit.runs}.items():
        lines += [
            {"curve": "size", "size": size, "flops": FLOPS_A_PARAMETER_AND_TOKEN * n * d, "tokens": d,
             "parameters": n, "loss": float(fit.fitted.loss(n, d)), "low": None, "high": None}
            for d in np.geomspace(min(tokens), max(tokens), CURVE_POINTS // 2).tolist()
        ]
    return lines


def _describe(row: Row, n_runs: int) -> str:
    start = (
        f"{n_runs} runs; for {row['flops']:.3g} operations, {row['hours']:.3g} hours at the largest size's rate, "
    )
    sizes = f"({row['parameters_low']:,.0f} to {row['parameters_high']:,.0f})"
    if is_undetermined(row):
        return f"{start}this ladder cannot tell which model is best: the interval of its size is too wide {sizes}"
    return (
        f"{start}Chinchilla's law asks for {row['parameters']:,.0f} parameters without embeddings "
        f"{sizes} and {row['tokens']:,.0f} tokens "
        f"({row['tokens_low']:,.0f} to {row['tokens_high']:,.0f}), and expects {row['loss']:.3f} nats per token "
        f"({row['loss_low']:.3f} to {row['loss_high']:.3f}), {row['bits_per_base']:.3f} bits per base"
    )
