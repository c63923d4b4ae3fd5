"""The content of a run directory, kept in memory until it is saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lingome.core.outcome import Table
from lingome.core.rundir import Row, RunDir


class RunInMemory(RunDir):
    """A run directory that is not on disk: what is written to it is kept, and copied to a real one by `copy_to`.

    Attributes
    ----------
    tables : dict of str to Table
        Each table that was written, with its numbers as they are, not rounded.
    config, lineage : dict
        What ``config.yaml`` and ``run.json`` will hold.
    metrics : list of dict
        Lines of ``metrics.jsonl``.
    """

    def __init__(self) -> None:
        super().__init__(Path("(in memory)"))
        self.tables: dict[str, Table] = {}
        self.config: dict[str, Any] = {}
        self.lineage: dict[str, Any] = {}
        self.metrics: list[dict[str, Any]] = []

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Keep every setting."""
        self.config = dict(config)

    def write_lineage(self, lineage: Mapping[str, Any]) -> None:
        """Keep the lineage."""
        self.lineage = dict(lineage)

    def append_metric(self, **values: Any) -> None:
        """Keep a line of metrics."""
        self.metrics.append(values)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Give the lines of metrics so far."""
        return list(self.metrics)

    def write_table(self, name: str, rows: Iterable[Row], columns: Sequence[str] | None = None) -> None:
        """Keep a table; columns default to those of the first row."""
        rows = list(rows)
        columns = tuple(columns or (rows[0].keys() if rows else ()))
        self.tables[name] = Table(name, columns, [[row.get(column) for column in columns] for row in rows])

    def has_table(self, name: str) -> bool:
        """Say whether a table was written."""
        return name in self.tables

    def read_table(self, name: str) -> list[dict[str, Any]]:
        """Give the rows of a table; none if it was not written."""
        return self.tables[name].to_dicts() if name in self.tables else []

    def copy_to(self, run: RunDir) -> None:
        """Write everything into a run directory on disk.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        run.write_config({**self.config, "out": str(run.path)})
        for name, table in self.tables.items():
            run.write_table(name, table.to_dicts(), table.columns)
        for line in self.metrics:
            run.append_metric(**line)
        run.write_lineage(self.lineage)
