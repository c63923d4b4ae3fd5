"""What a language model's scores stand beside: random weights, counted letters, and a measurement."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import ConfigError
from lingome.data.variants import Mutant, Variant
from lingome.evaluate.measures.correlation import spearman_interval
from lingome.evaluate.measures.paired import resampled_ratio
from lingome.models.heads.language_model import LanguageModel
from lingome.models.registry import find_architecture


class Contender(NamedTuple):
    """Scores of some of the items: `picked` are their indices."""

    name: str
    kind: str
    picked: np.ndarray
    scores: np.ndarray


def with_random_weights(model: LanguageModel, seed: int) -> LanguageModel:
    """Build the same model with random weights, on the same device, in evaluation mode."""
    blank = copy.deepcopy(model)
    find_architecture(model.config).initialise(blank, seed)
    return blank.eval()


def spread(n_items: int, at_most: int) -> np.ndarray:
    """Pick items evenly: their indices, ascending.

    >>> spread(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.unique(np.linspace(0, n_items - 1, min(n_items, at_most)).round().astype(np.int64))


def sequence_rows(contenders: Sequence[Contender], n_letters: np.ndarray, unit: str) -> list[dict[str, Any]]:
    """Give mean scores and bits per letter, with 95 % intervals over sequences.

    Parameters
    ----------
    contenders : sequence of Contender
        Sums of log-probabilities in nats.
    n_letters : ndarray of int, shape (N,)
        Letters that were guessed in each sequence.
    unit : str
        ``base`` or ``residue``.
    """
    rows = []
    for one in contenders:
        bits = resampled_ratio(-one.scores / math.log(2), n_letters[one.picked]).estimate
        rows.append({
            "name": one.name, "kind": one.kind, "n": len(one.picked), "mean_score": float(one.scores.mean()),
            f"bits_per_{unit}": bits.value, "low": bits.low, "high": bits.high,
        })
    return rows


def change_rows(
    contenders: Sequence[Contender], measured: np.ndarray | None, groups: Sequence[object], seed: int
) -> list[dict[str, Any]]:
    """Give mean and spread of the scores of changes; with a measurement, the rank correlation with it.

    Parameters
    ----------
    contenders : sequence of Contender
        Scores, alternative - reference, in nats.
    measured : ndarray of float, shape (N,), optional
        A measured effect of each change; nan where there is none.
    groups : sequence, length N
        What lies at one place; intervals draw places, not changes.
    seed : int
        Of the resampling.
    """
    rows = []
    for one in contenders:
        row: dict[str, Any] = {
            "name": one.name, "kind": one.kind, "n": len(one.picked), "mean_score": float(one.scores.mean()),
            "sd": float(one.scores.std()),
        }
        if measured is not None:
            usable = np.isfinite(measured[one.picked])
            picked = one.picked[usable]
            found = spearman_interval(one.scores[usable], measured[picked], [groups[i] for i in picked], seed=seed)
            row |= {"n": len(picked), "spearman": found.value, "low": found.low, "high": found.high}
        rows.append(row)
    return rows


def measured_column(changes: Sequence[Variant | Mutant], name: str | None) -> np.ndarray | None:
    """Read a column of numbers of the variants' table, nan where a cell is none; None without a name.

    Returns
    -------
    ndarray of float64, shape (N,), or None
        A number for each of the N changes.

    Raises
    ------
    ConfigError
        If there is no such column, or it has no number.
    """
    if name is None:
        return None
    columns = list(changes[0].columns)
    if name not in columns:
        raise ConfigError("the table of variants has no such column", where="measured", got=name,
                          expected=", ".join(columns) or "a table: a VCF has none")
    values = np.full(len(changes), np.nan)
    for index, one in enumerate(changes):
        with suppress(ValueError):
            values[index] = float(one.columns[name])
    if not np.isfinite(values).any():
        raise ConfigError("there is no number in this column", where="measured", got=name)
    return values
