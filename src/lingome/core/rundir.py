"""The run directory: the one thing that reports, servers and later runs read.

::

    config.yaml     every setting, resolved
    run.json        lineage: versions, seed, digests of inputs, parents, data seen
    metrics.jsonl   one line a measurement while training
    checkpoint/     a Hugging Face model folder (or several, by name)
    tables/         results as tab-separated values, one file a table
    report.html     the page
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lingome.core.errors import ConfigError, DataError
from lingome.core.files import atomic_file, check_absent, explain_os_errors, make_parents, read_json_object, write_text
from lingome.core.processes import is_first_process
from lingome.core.tables import check_columns, format_cell, parse_cell
from lingome.core.warnings import WARNING_COLUMNS, RunWarning

Row = Mapping[str, Any]

SAVED = ("checkpoint", "runs", "rungs")
"""Folders worth resuming: a model, and the runs of a ladder, which lingome 0.1.0 kept in ``rungs/``."""


class RunDir:
    """A run directory; `create` makes one, `open` reads one that exists."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    @contextmanager
    def create(cls, path: Path, *, force: bool = False, resume: bool = False) -> Iterator[RunDir]:
        """Make a run directory for the duration of a block.

        When the block fails before anything worth resuming was saved (no ``checkpoint/``, no runs in ``runs/``),
        what it wrote is removed, so that nothing half-written is left looking whole; and a run that
        was to be replaced (`force`) is put back: a mistake in the settings costs no results. Of several
        processes the first one makes it; the others get a folder that is thrown away.

        Raises
        ------
        DataError
            If `path` exists and neither `force` nor `resume` is set, or cannot be written.
        """
        if not is_first_process():
            with tempfile.TemporaryDirectory(prefix="lingome-process-") as folder:
                (Path(folder) / "tables").mkdir()
                yield cls(Path(folder))
            return
        if path.exists() and not path.is_dir():
            raise DataError("the output is a file, but a run is a folder", where=path, hint="choose another -o")
        if not resume:
            check_absent(path, force)
        is_run = any((path / name).exists() for name in ("run.json", "config.yaml"))
        if path.exists() and not resume and not is_run and any(path.iterdir()):
            raise DataError(
                "this folder holds something that is not a run, and will not be replaced",
                where=path, hint="choose another -o",
            )
        going_on = resume and path.exists()
        with explain_os_errors(path), make_parents(path), _set_aside(path, keep=going_on):
            try:
                (path / "tables").mkdir(parents=True, exist_ok=True)
                yield cls(path)
            except BaseException:
                if not going_on and not any((path / name).exists() for name in SAVED):
                    shutil.rmtree(path, ignore_errors=True)
                raise

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """Open a run directory for reading.

        Raises
        ------
        DataError
            If there is no run at `path`.
        """
        if not (path / "run.json").is_file():
            raise DataError(
                "this is not a run directory", where=path, expected="a folder with run.json in it",
                hint="give the folder that a lingome command wrote with -o",
            )
        return cls(path)

    @property
    def checkpoint_path(self) -> Path:
        """Folder of the run's model, whether or not it exists yet."""
        return self.path / "checkpoint"

    @property
    def report_path(self) -> Path:
        """File of the run's page, whether or not it exists yet."""
        return self.path / "report.html"

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write every setting as ``config.yaml``."""
        write_text(self.path / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False))

    def read_config(self) -> dict[str, Any]:
        """Read ``config.yaml``; empty if there is none.

        Raises
        ------
        DataError
            If it holds no settings.
        """
        file = self.path / "config.yaml"
        if not file.is_file():
            return {}
        try:
            return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise DataError("not valid YAML", where=file, got=str(error).splitlines()[0]) from error

    def check_resumable(
        self, settings: Mapping[str, Any], *, may_differ: Collection[str], command: str,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """Refuse to resume a run that is not there, or under other settings.

        Parameters
        ----------
        settings : mapping
            All settings now.
        may_differ : collection of str
            Those that may differ; a setting within a setting is ``train.parallel``.
        command : str
            What resumes the run as it began.
        defaults : mapping, optional
            What settings were that the run does not know, because an older version began it; without it they may
            differ.

        Raises
        ------
        DataError
            If there is no run.
        ConfigError
            If a setting differs.
        """
        saved = self.read_config()
        if not saved:
            raise DataError("there is no run to resume", where=self.path, hint="leave out --resume to start one")
        now = dict(_flat(settings))
        then = {**dict(_flat(defaults or {})), **dict(_flat(saved))}
        changed = [name for name in now if name not in may_differ and name in then and now[name] != then[name]]
        if changed:
            raise ConfigError(
                "a run is resumed with the settings it began with", where=", ".join(changed),
                got={name: now[name] for name in changed}, expected={name: then[name] for name in changed},
                hint=command,
            )

    def write_lineage(self, lineage: Mapping[str, Any]) -> None:
        """Write ``run.json``."""
        write_text(self.path / "run.json", json.dumps(lineage, indent=2) + "\n")

    def read_lineage(self) -> dict[str, Any]:
        """Read ``run.json``.

        Raises
        ------
        DataError
            If it is not an object in JSON.
        """
        return read_json_object(self.path / "run.json", DataError)

    def append_metric(self, **values: Any) -> None:
        """Append one line to ``metrics.jsonl``."""
        with explain_os_errors(self.path), (self.path / "metrics.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(values) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """Read ``metrics.jsonl``; a line cut short by a crash at the very end is left out.

        Raises
        ------
        DataError
            If another line is not JSON.
        """
        file = self.path / "metrics.jsonl"
        if not file.is_file():
            return []
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = []
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                if number == len(lines):
                    break
                raise DataError("not a line of JSON", where=f"{file}:{number}", got=line[:80]) from error
        return rows

    def write_table(self, name: str, rows: Iterable[Row], columns: Sequence[str] | None = None) -> None:
        """Write ``tables/<name>.tsv``; columns default to those of the first row.

        Raises
        ------
        ValueError
            If the table or a column is not declared in `lingome.core.tables`.
        """
        rows = list(rows)
        columns = list(columns or (rows[0].keys() if rows else []))
        check_columns(name, columns, empty=not rows)
        with (
            atomic_file(self.path / "tables" / f"{name}.tsv") as temporary,
            temporary.open("w", encoding="utf-8", newline="") as handle,
        ):
            writer = csv.DictWriter(handle, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows({key: format_cell(row.get(key)) for key in columns} for row in rows)

    def write_warnings(self, warnings: Iterable[RunWarning]) -> None:
        """Write the table ``warnings``; without any, a table without rows says that they were looked for."""
        self.write_table("warnings", [one.as_row() for one in warnings], WARNING_COLUMNS)

    def has_table(self, name: str) -> bool:
        """Say whether ``tables/<name>.tsv`` exists."""
        return (self.path / "tables" / f"{name}.tsv").is_file()

    def read_table(self, name: str) -> list[dict[str, Any]]:
        """Read ``tables/<name>.tsv`` as dictionaries; numbers become numbers, empty cells None.

        Returns an empty list if the table does not exist.

        Raises
        ------
        DataError
            If it is no table.
        """
        if not self.has_table(name):
            return []
        file = self.path / "tables" / f"{name}.tsv"
        try:
            with file.open(encoding="utf-8", newline="") as handle:
                reader = csv.DictReader(handle, delimiter="\t")
                return [{key: parse_cell(cell) for key, cell in row.items()} for row in reader]
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError("the table cannot be read", where=file, got=error, hint="make the run again") from error


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give settings within settings by their whole names."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@contextmanager
def _set_aside(path: Path, *, keep: bool) -> Iterator[None]:
    """Move what is at `path` away for the duration of a block; put it back if the block leaves nothing there."""
    if keep or not path.exists() or not any(path.iterdir()):
        yield
        return
    shelf = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.replace(shelf / path.name)
    try:
        yield
    finally:
        if not path.exists():
            (shelf / path.name).replace(path)
        shutil.rmtree(shelf, ignore_errors=True)
