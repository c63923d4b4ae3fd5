"""Settings of ``lingome doctor``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Workflow, no_inputs


class DoctorSettings(RunSettings):
    """What to look at: the device, as every command would choose it."""

    out: Path | None = Field(default=None, description="also write the table here, tab-separated")
    force: bool = Field(default=False, description="replace what is there")


WORKFLOW = Workflow(
    name="doctor",
    settings=DoctorSettings,
    recipe="doctor",
    inputs=no_inputs("doctor takes no inputs"),
    description="Checks versions, the device, bf16, where data would come from, and runs a small model.",
    examples=("lingome doctor", "lingome doctor -o doctor.tsv"),
)
