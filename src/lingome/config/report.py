"""Settings of ``lingome report``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lingome.config.settings import RunSettings


class ReportSettings(RunSettings):
    """What to make a page of, and where to put it."""

    run: Path = Field(description="the run directory to read")
    out: Path | None = Field(default=None, description="the HTML file to write; report.html in the run by default")
    force: bool = Field(default=False, description="replace `out` if it exists; the run's own page is always replaced")
