"""The page of a run."""

from __future__ import annotations

from pathlib import Path

from lingome.core.rundir import RunDir
from lingome.report.page import write_report


def report(run: str | Path, out: str | Path | None = None, *, force: bool = False) -> Path:
    """Write the page of a run: one HTML file, which a browser opens without a network.

    Parameters
    ----------
    run : str or Path
        A run directory, as `Fit.save` or a command with ``-o`` wrote it.
    out : str or Path, optional
        Where to write; ``report.html`` in the run by default, which is replaced if it exists.
    force : bool
        Replace `out` if it exists.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    DataError
        If `run` is no run directory or is corrupt, or `out` exists or cannot be written.
    """
    source = RunDir.open(Path(run).expanduser())
    return write_report(source, None if out is None else Path(out).expanduser(), force=force)
