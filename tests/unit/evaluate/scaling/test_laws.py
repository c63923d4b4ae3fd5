"""Scaling laws: planted values come back, derivatives are right, and the optimum is one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize_scalar

from lingome.core.errors import DataError
from lingome.evaluate.scaling import laws as scaling
from lingome.evaluate.scaling.laws import (
    BESIROGLU,
    HOFFMANN_ROUNDED,
    Law,
    ScalingLaw,
    bootstrap_law,
    find_optimum,
    fit_law,
)

PLANTED: dict[Law, tuple[float, ...]] = {"chinchilla": BESIROGLU, "kaplan": (8.8e13, 5.4e13, 0.076, 0.095)}


def ladder(law: Law, noise: float = 0.0, sizes: int = 6, lengths: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, d = np.meshgrid(np.geomspace(1e6, 1e9, sizes), np.geomspace(1e8, 1e11, lengths))
    losses = ScalingLaw(law, PLANTED[law]).loss(n.ravel(), d.ravel())
    return n.ravel(), d.ravel(), losses * np.exp(noise * np.random.default_rng(0).standard_normal(n.size))


@pytest.mark.parametrize("law", PLANTED)
def test_planted_exponents_come_back(law: Law) -> None:
    fitted = fit_law(law, *ladder(law))
    assert fitted.values == pytest.approx(PLANTED[law], rel=0.02)
    assert fitted.values[-2:] == pytest.approx(PLANTED[law][-2:], rel=2e-3)
    assert fitted.error < 1e-10


def test_planted_exponents_come_back_through_noise_as_far_as_the_bootstrap_says() -> None:
    runs = ladder("chinchilla", noise=0.005, sizes=10, lengths=9)
    fitted = fit_law("chinchilla", *runs)
    assert fitted.values[-2:] == pytest.approx(BESIROGLU[-2:], rel=0.05)
    draws = np.array([one.values[-2:] for one in bootstrap_law(fitted, *runs, repeats=30, seed=1)])
    spread = draws.std(axis=0)
    assert (abs(np.subtract(fitted.values[-2:], BESIROGLU[-2:])) < 4 * spread).all()
    assert (spread < 0.02).all()
    assert (spread > 1e-4).all()


@pytest.mark.parametrize("law", PLANTED)
def test_slopes_against_differences(law: Law) -> None:
    n, d = np.log([1e6, 1e8, 1e9]), np.log([1e9, 1e8, 1e11])
    inner = np.array(scaling._Runs(n, d, n, 0.0, 0.0).inner(ScalingLaw(law, PLANTED[law])))
    for row in range(3):
        def value(x: np.ndarray, row: int = row) -> float:
            return float(scaling._LAWS[law](x, n, d)[0][row])

        def slope(x: np.ndarray, row: int = row) -> np.ndarray:
            return scaling._LAWS[law](x, n, d)[1][:, row]

        assert check_grad(value, slope, inner) < 1e-5


def test_rounded_coefficients_mislead() -> None:
    """Besiroglu et al. 2024: the printed digits of Chinchilla do not give its 20 tokens a parameter."""
    ratios = [
        find_optimum(ScalingLaw("chinchilla", values), 5.76e23).tokens_a_parameter
        for values in (HOFFMANN_ROUNDED, (*HOFFMANN_ROUNDED[:3], 0.3392, 0.2849), BESIROGLU)
    ]
    assert ratios == pytest.approx([92.6, 59.1, 18.4], abs=0.05)


@pytest.mark.parametrize("law", PLANTED)
def test_optimum_against_a_search(law: Law) -> None:
    fitted = ScalingLaw(law, PLANTED[law])
    best = find_optimum(fitted, 1e20)
    assert best.parameters * best.tokens * 6 == pytest.approx(1e20)
    searched = minimize_scalar(
        lambda log_n: float(fitted.loss(np.exp(log_n), 1e20 / 6 / np.exp(log_n))), bounds=(10, 35), method="bounded",
        options={"xatol": 1e-9},
    )
    assert np.log(best.parameters) == pytest.approx(searched.x, abs=1e-3)
    assert best.loss == pytest.approx(searched.fun, rel=1e-12)


def test_too_small_a_ladder_is_refused() -> None:
    with pytest.raises(DataError, match="too few runs"):
        fit_law("chinchilla", [1e6, 1e7, 1e8], [1e8, 1e9, 1e10], [3, 2.5, 2.2])
    with pytest.raises(DataError, match="above 0"):
        fit_law("kaplan", [1e6] * 9, [1e8] * 9, [float("nan")] * 9)
    with pytest.raises(DataError, match="budget"):
        find_optimum(ScalingLaw("chinchilla", BESIROGLU), 0)
