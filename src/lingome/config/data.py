"""Settings of ``lingome data``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from lingome.config.settings import Settings


class FetchSettings(Settings):
    """Which data sets to get, and from where not."""

    names: tuple[str, ...] = Field(min_length=1, description="names of the catalog")
    offline: bool | None = Field(
        default=None, description="never touch the network; by default LINGOME_OFFLINE or HF_HUB_OFFLINE decides"
    )
    out: Path | None = Field(default=None, description="also copy the file here (one name only)")
    force: bool = Field(default=False, description="replace what is there")

    @model_validator(mode="after")
    def _one_copy(self) -> FetchSettings:
        if self.out is not None and len(self.names) != 1:
            raise ValueError("a copy can be made of one data set at a time")
        return self


class CheckSettings(Settings):
    """Which file to look into, and the genome it belongs to."""

    file: Path = Field(description="FASTA, BED, narrowPeak, GFF3, GTF, JASPAR, table of sequences, or folder of tables")
    genome: Path | None = Field(default=None, description="FASTA whose names and lengths the file must fit")
