"""Settings of ``lingome doctor``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lingome.config.settings import RunSettings


class DoctorSettings(RunSettings):
    """What to look at: the device, as every command would choose it."""

    out: Path | None = Field(default=None, description="also write the table here, tab-separated")
    force: bool = Field(default=False, description="replace what is there")
