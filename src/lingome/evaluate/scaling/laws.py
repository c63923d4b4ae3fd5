"""Scaling laws: how the loss falls with parameters and tokens, fitted to a ladder of models.

N parameters, D tokens of training, C = 6 N D floating-point operations (Kaplan et al. 2020, arXiv:2001.08361, 2.1),
L the loss in nats per token. Two laws:

==========  ==============================================  ==================================================
name        L(N, D)                                         source
==========  ==============================================  ==================================================
chinchilla  E + A / N^alpha + B / D^beta                    Hoffmann et al. 2022, arXiv:2203.15556, approach 3
kaplan      ((Nc / N)^(aN / aD) + Dc / D)^aD                Kaplan et al. 2020, arXiv:2001.08361, equation 1.5
==========  ==============================================  ==================================================

Both are fitted as in approach 3: the Huber loss (delta 0.001) of log L, minimised by L-BFGS from a grid of starts.
Kaplan's N leaves out embeddings; the caller says which N it gives. The law of Chinchilla has a floor E, that of Kaplan
has none.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from lingome.core.errors import DataError
from lingome.core.seeds import generator

Law = Literal["chinchilla", "kaplan"]
Values = tuple[float, ...]

HUBER_DELTA = 1e-3
FLOPS_A_PARAMETER_AND_TOKEN = 6
"""Two for the forward pass, four for the backward pass."""
NAMES: dict[Law, tuple[str, ...]] = {
    "chinchilla": ("E", "A", "B", "alpha", "beta"), "kaplan": ("Nc", "Dc", "alpha_N", "alpha_D"),
}
SHORT = 60
"""Steps of the optimiser from each start."""
EXPONENTS = (0.01, 3.0)
"""Fitted exponents lie between these: 0.01 is as good as no effect."""

HOFFMANN_ROUNDED: Values = (1.69, 406.4, 410.7, 0.34, 0.28)
"""Coefficients as printed in arXiv:2203.15556, rounded: with them the best ratio of tokens to parameters is far off."""
BESIROGLU: Values = (1.8172, 482.01, 2085.43, 0.3478, 0.3658)
"""The same data fitted again: Besiroglu et al. 2024, arXiv:2404.10102."""


@dataclass(frozen=True)
class ScalingLaw:
    """A fitted law.

    Parameters
    ----------
    law : {"chinchilla", "kaplan"}
        Which one.
    values : tuple of float
        In the order of ``NAMES[law]``.
    error : float
        Mean Huber loss of log L at these values.
    """

    law: Law
    values: Values
    error: float = 0.0

    def loss(self, parameters: float | np.ndarray, tokens: float | np.ndarray) -> np.ndarray:
        """Predict L, in nats per token.

        Parameters
        ----------
        parameters, tokens : float or ndarray, shape (R,)
            N and D.

        Returns
        -------
        ndarray of float64, shape (R,)
            Of no axis where both are numbers.
        """
        n = np.log(np.asarray(parameters, float))
        d = np.log(np.asarray(tokens, float))
        log_loss, _ = _LAWS[self.law](_Runs(n, d, n, 0.0, 0.0).inner(self), n, d)
        losses: np.ndarray = np.exp(log_loss)
        return losses


@dataclass(frozen=True)
class Optimum:
    """The best model for a budget: N parameters, D tokens, and the loss they are to reach."""

    flops: float
    parameters: float
    tokens: float
    loss: float

    @property
    def tokens_a_parameter(self) -> float:
        """D / N."""
        return self.tokens / self.parameters


def fit_law(law: Law, parameters: Sequence[float], tokens: Sequence[float], losses: Sequence[float]) -> ScalingLaw:
    """Fit a law to the runs of a ladder.

    Parameters
    ----------
    law : {"chinchilla", "kaplan"}
        Which one.
    parameters, tokens, losses : sequence of float, (R,)
        N, D and L of each run, all above 0.

    Raises
    ------
    DataError
        If there are fewer runs than the law has values and one more, or fewer than three sizes or three lengths.
    """
    runs = _Runs.of(law, parameters, tokens, losses)
    return _fit(law, runs, _starts(law, runs))


def bootstrap_law(
    fitted: ScalingLaw, parameters: Sequence[float], tokens: Sequence[float], losses: Sequence[float],
    *, repeats: int = 200, seed: int = 0,
) -> list[ScalingLaw]:
    """Fit the law again to runs drawn with replacement, each time from the first fit's values.

    A draw of fewer different runs than the law has values and one more, or of one size or length, is drawn again.

    Parameters
    ----------
    fitted : ScalingLaw
        From `fit_law`.
    parameters, tokens, losses : sequence of float, (R,)
        N, D and L of each run, as they were given to `fit_law`.
    repeats : int
        How many fits.
    seed : int
        Decides which runs are drawn.

    Returns
    -------
    list of ScalingLaw, (repeats,)
        Percentiles of whatever is computed from them are its interval.
    """
    runs = _Runs.of(fitted.law, parameters, tokens, losses)
    rng = generator(seed, "scaling law")
    start = runs.inner(fitted)
    fits = list[ScalingLaw]()
    while len(fits) < repeats:
        drawn = rng.integers(0, len(runs.y), len(runs.y))
        n = runs.n[drawn]
        d = runs.d[drawn]
        if len(set(drawn)) > len(start) and len(set(n)) > 1 and len(set(d)) > 1:
            fits.append(_fit(fitted.law, dataclasses.replace(runs, n=n, d=d, y=runs.y[drawn]), [start]))
    return fits


def find_optimum(law: ScalingLaw, flops: float) -> Optimum:
    """Give the size and the length of training that reach the lowest loss with C = 6 N D operations.

    For Chinchilla's law in closed form, N = G (C / 6)^(beta / (alpha + beta)) with
    G = (alpha A / (beta B))^(1 / (alpha + beta)); for Kaplan's, N at which the derivative along N D = C / 6 is 0,
    (Nc / N)^(aN / aD) aN / aD = Dc / D, which is one power of N on each side. N and D are at least 1, where the
    fit of a ladder that cannot tell would ask for less.

    Raises
    ------
    DataError
        If the budget is not above 0.

    Examples
    --------
    At the budget of Chinchilla itself, 5.76e23, the printed coefficients ask for 93 tokens per parameter, those of
    the same data fitted again for 18:

    >>> [round(find_optimum(ScalingLaw("chinchilla", values), 5.76e23).tokens_a_parameter, 1)
    ...  for values in (HOFFMANN_ROUNDED, BESIROGLU)]
    [92.6, 18.4]
    """
    if not flops > 0:
        raise DataError("a budget is above 0", where="flops", got=flops)
    product = flops / FLOPS_A_PARAMETER_AND_TOKEN
    if law.law == "chinchilla":
        _, a, b, alpha, beta = law.values
        log_n = (math.log(alpha * a) - math.log(beta * b) + beta * math.log(product)) / (alpha + beta)
    else:
        nc, dc, alpha_n, alpha_d = law.values
        ratio = alpha_n / alpha_d
        log_n = (ratio * math.log(nc) + math.log(ratio) - math.log(dc) + math.log(product)) / (1 + ratio)
    n = math.exp(min(max(log_n, 0.0), max(math.log(product), 0.0)))
    return Optimum(flops, n, product / n, float(law.loss(n, product / n)))


@dataclass(frozen=True)
class _Runs:
    """Logarithms of a ladder, sizes and lengths around their middle.

    Fitted are the logarithms of each term at the middle, and the exponents: so they hardly depend on each other.
    """

    n: np.ndarray
    d: np.ndarray
    y: np.ndarray
    middle_n: float
    middle_d: float

    @classmethod
    def of(cls, law: Law, *columns: Sequence[float]) -> _Runs:
        n, d, y = (np.asarray(column, dtype=np.float64) for column in columns)
        if not n.shape == d.shape == y.shape or n.ndim != 1:
            raise DataError("a ladder has one size, one length and one loss per run",
                            got=f"{n.shape}, {d.shape}, {y.shape}")
        if not all(np.isfinite(column).all() and (column > 0).all() for column in (n, d, y)):
            raise DataError("sizes, lengths and losses of a ladder are finite and above 0")
        least = len(NAMES[law]) + 1
        if len(y) < least or len(set(n)) < 3 or len(set(d)) < 3:
            raise DataError(
                f"too few runs to fit the law of {law.capitalize()}",
                got=f"{len(y)} runs of {len(set(n))} sizes and {len(set(d))} lengths",
                expected=f"at least {least} runs, of at least 3 sizes and 3 lengths", hint="add sizes or lengths",
            )
        log_n = np.log(n)
        log_d = np.log(d)
        middle_n = float(log_n.mean())
        middle_d = float(log_d.mean())
        return cls(log_n - middle_n, log_d - middle_d, np.log(y), middle_n, middle_d)

    def inner(self, law: ScalingLaw) -> tuple[float, ...]:
        """Give what is fitted, from the values of a law."""
        if law.law == "chinchilla":
            e, a, b, alpha, beta = law.values
            at_n = math.log(a) - alpha * self.middle_n
            at_d = math.log(b) - beta * self.middle_d
            return math.log(e), at_n, at_d, alpha, beta
        nc, dc, alpha_n, alpha_d = law.values
        return math.log(nc) - self.middle_n, math.log(dc) - self.middle_d, alpha_n, alpha_d

    def outer(self, law: Law, inner: Sequence[float]) -> tuple[float, ...]:
        """Give the values of a law, from what is fitted."""
        one, two, *rest = (float(value) for value in inner)
        if law == "chinchilla":
            three, alpha, beta = rest
            at_n = two + alpha * self.middle_n
            at_d = three + beta * self.middle_d
            return math.exp(one), math.exp(at_n), math.exp(at_d), alpha, beta
        return math.exp(one + self.middle_n), math.exp(two + self.middle_d), *rest


def _fit(law: Law, runs: _Runs, starts: Sequence[Sequence[float]]) -> ScalingLaw:
    def objective(inner: np.ndarray) -> tuple[float, np.ndarray]:
        predicted, slopes = _LAWS[law](inner, runs.n, runs.d)
        rest = predicted - runs.y
        clipped = np.clip(rest, -HUBER_DELTA, HUBER_DELTA)
        # Divided by delta twice: the optimiser's tolerances are made for values near one.
        value = np.mean(clipped * (rest - clipped / 2)) / HUBER_DELTA**2
        return float(value), slopes @ clipped / len(rest) / HUBER_DELTA**2

    def descend(start: Sequence[float] | np.ndarray, most: int) -> OptimizeResult:
        options = {"maxiter": most, "maxfun": 2 * most, "ftol": 1e-12, "gtol": 1e-8}
        return minimize(objective, start, jac=True, method="L-BFGS-B", bounds=_BOUNDS[law], options=options)

    # A few steps from every start, then all that the best of them needs.
    start = starts[0]
    if len(starts) > 1:
        start = min((descend(one, SHORT) for one in starts), key=lambda found: float(found.fun)).x
    best = descend(start, 2000)
    return ScalingLaw(law, runs.outer(law, best.x), float(best.fun) * HUBER_DELTA**2)


def _starts(law: Law, runs: _Runs) -> list[tuple[float, ...]]:
    """Give a grid around the data: each term begins as a share of the median loss, in the middle."""
    loss = float(np.median(runs.y))
    if law == "chinchilla":
        return [
            (*(loss + math.log(part) for part in (floor, (1 - floor) * lean, (1 - floor) * (1 - lean))), *powers)
            for floor, lean in itertools.product((0.3, 0.8), (0.25, 0.75))
            for powers in itertools.product((0.2, 0.6), (0.2, 0.6))
        ]
    return [
        ((loss / alpha_d + math.log(lean)) * alpha_d / alpha_n, loss / alpha_d + math.log(1 - lean), alpha_n, alpha_d)
        for alpha_n, alpha_d, lean in itertools.product((0.05, 0.15, 0.4), (0.05, 0.15, 0.4), (0.25, 0.75))
    ]


Inner = Sequence[float] | np.ndarray


def _chinchilla(inner: Inner, n: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    e, a, b, alpha, beta = inner
    n, d = np.broadcast_arrays(n, d)
    terms = np.stack([np.full(n.shape, e), a - alpha * n, b - beta * d])
    total = np.logaddexp.reduce(terms, axis=0)
    share = np.exp(terms - total)
    return total, np.stack([share[0], share[1], share[2], -share[1] * n, -share[2] * d])


def _kaplan(inner: Inner, n: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    nc, dc, alpha_n, alpha_d = inner
    n, d = np.broadcast_arrays(n, d)
    ratio = alpha_n / alpha_d
    terms = np.stack([ratio * (nc - n), dc - d])
    total = np.logaddexp.reduce(terms, axis=0)
    share = np.exp(terms - total)
    slope_d = total - share[0] * ratio * (nc - n)
    return alpha_d * total, np.stack([alpha_n * share[0], alpha_d * share[1], share[0] * (nc - n), slope_d])


_LAWS: dict[Law, Callable[[Inner, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "chinchilla": _chinchilla, "kaplan": _kaplan,
}
_BOUNDS: dict[Law, list[tuple[float | None, float | None]]] = {
    "chinchilla": [(-50, 50)] * 3 + [EXPONENTS] * 2,
    "kaplan": [(-500, 500)] * 2 + [EXPONENTS] * 2,
}
"""A term of e^-50 nats is none; without bounds, a ladder that cannot tell would reach numbers that no float holds."""
