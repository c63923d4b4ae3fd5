"""Settings of ``lingome report``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Workflow, inputs_in_order


class ReportSettings(RunSettings):
    """What to make a page of, and where to put it."""

    run: Path = Field(description="the run directory to read")
    out: Path | None = Field(default=None, description="the HTML file to write; report.html in the run by default")
    force: bool = Field(default=False, description="replace `out` if it exists; the run's own page is always replaced")


WORKFLOW = Workflow(
    name="report",
    settings=ReportSettings,
    recipe="report",
    inputs=inputs_in_order(
        ("run",), usage="RUN", meaning="The run directory that another command wrote.",
        problem="report takes one run directory",
    ),
    description="The page goes into the run as report.html, or to -o.",
    examples=("lingome report runs/demo", "lingome report runs/demo -o demo.html --force"),
)
