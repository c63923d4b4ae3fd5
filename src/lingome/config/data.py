"""Settings of ``lingome data``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from lingome.config.schema.settings import Settings
from lingome.config.workflow import Workflow, any_number_of, inputs_in_order, no_inputs


class ListSettings(Settings):
    """Settings of ``lingome data list``: there are none."""


class FetchSettings(Settings):
    """Which data sets to get, and from where not."""

    names: tuple[str, ...] = Field(min_length=1, description="names of data sets, as lingome data list shows them")
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


LIST = Workflow(
    name="data list",
    settings=ListSettings,
    recipe="data",
    inputs=no_inputs("data list takes no inputs"),
    description="For each data set: what it is, the organism, its size, its licence, and whether it is here.",
    examples=("lingome data list",),
    plan=None,
    run="list_catalog",
    ships_configs=False,
)
FETCH = Workflow(
    name="data fetch",
    settings=FetchSettings,
    recipe="data",
    inputs=any_number_of("names", usage="NAME...", meaning="Names of data sets, as lingome data list shows them."),
    description="""Sources are tried in order: the folder $LINGOME_DATA, the cache ($LINGOME_CACHE or
    ~/.cache/lingome), a package from the Python registry through your own pip, the public address.""",
    examples=(
        "lingome data fetch yeast-genome yeast-genes",
        "lingome data fetch hg19-chr20 -o chr20.fa.gz",
        "lingome data fetch jaspar-ctcf --offline --dry-run",
    ),
    plan="plan_fetch",
    run="run_fetch",
)
CHECK = Workflow(
    name="data check",
    settings=CheckSettings,
    recipe="data",
    inputs=inputs_in_order(
        ("file",), usage="FILE", meaning="A FASTA, BED, narrowPeak, GFF3, GTF, JASPAR or table; or a folder of tables.",
        problem="one file is checked at a time",
    ),
    description="The first line that is wrong ends the command with exit code 3; what was found before it is shown.",
    examples=("lingome data check genome.fa.gz", "lingome data check peaks.bed --genome genome.fa.gz"),
    plan="plan_check",
    run="run_check",
    ships_configs=False,
)
