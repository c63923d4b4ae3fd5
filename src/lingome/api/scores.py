"""Scores of sequences or of changes: numbers, names, and the convention they follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lingome.core.errors import DataError
from lingome.core.outcome import Table


class Scores:
    """Scores that a language model gives, in nats.

    Of a whole sequence a score is its log-probability under the convention; of a change it is alternative -
    reference, so that above 0 the model prefers the alternative.

    Parameters
    ----------
    rows : sequence of dict
        N rows, as the table of ``lingome score`` has them, with a column ``score``.
    convention : str
        Name of the convention, such as ``pll``, ``log_likelihood`` or ``mask_fill``.
    formula : str
        What it computes, in symbols.
    warnings : sequence of str
        What was cut, left out or not known, in sentences.

    Examples
    --------
    >>> found = Scores([{"id": "a", "score": -1.5}, {"id": "b", "score": -2.5}], "pll", "PLL(x)")
    >>> found.scores.tolist(), found["id"], len(found)
    ([-1.5, -2.5], ['a', 'b'], 2)
    """

    def __init__(
        self, rows: Sequence[dict[str, Any]], convention: str, formula: str = "", warnings: Sequence[str] = ()
    ) -> None:
        self.rows = list(rows)
        self.convention = convention
        self.formula = formula
        self.warnings = list(warnings)

    @property
    def scores(self) -> np.ndarray:
        """The scores, float64, shape (N,), in nats."""
        return np.array([row["score"] for row in self.rows], dtype=np.float64)

    @property
    def ids(self) -> list[str]:
        """Names of the sequences or changes."""
        return [str(row["id"]) for row in self.rows]

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return list(self.rows[0]) if self.rows else []

    @property
    def table(self) -> Table:
        """All columns as a table."""
        title = f"{len(self):,} scores in nats, {self.convention}"
        return Table(title, self.columns, [list(row.values()) for row in self.rows])

    def to_pandas(self) -> Any:
        """Give all columns as a DataFrame of pandas.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        return self.table.to_pandas()

    def __getitem__(self, column: str) -> np.ndarray | list[Any]:
        """Give a column: an array of shape (N,) of numbers, or a list of anything else.

        Raises
        ------
        DataError
            If there is no such column.
        """
        if column not in self.columns:
            raise DataError(f"there is no column {column!r}", expected=", ".join(self.columns))
        values = [row[column] for row in self.rows]
        return np.array(values) if all(isinstance(value, int | float) for value in values) else values

    def __len__(self) -> int:
        return len(self.rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.scores if dtype is None else self.scores.astype(dtype)

    def __repr__(self) -> str:
        found = self.scores
        span = f"{found.min():.3f} to {found.max():.3f} nats" if len(found) else "none"
        return f"Scores({len(self):,} by {self.convention}: {span}; columns {', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()
