"""Settings of ``lingome model import``: which folder, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.schema.settings import Settings
from lingome.config.workflow import Workflow, inputs_in_order


class ImportSettings(Settings):
    """What is read, and how it is written."""

    path: Path = Field(description="folder with config.json and weights, or a file of weights beside its config.json")
    out: Path = Field(default=Path("runs/imported"), description="the model folder to write")
    force: bool = Field(default=False, description="replace a folder that exists")
    tokenizer: Path | None = Field(default=None, description="the vocabulary, where the folder holds none")
    part: Literal["whole", "body"] = Field(
        default="whole", description="body: leave heads unread, as those of classifiers that others trained"
    )
    dtype: Literal["float32", "float16", "bfloat16"] = Field(default="float32", description="how weights are stored")
    title: str = Field(default="", description="title of the model card; the folder's name by default")
    licence: str = Field(default="other", description="licence of the weights, for the model card")


WORKFLOW = Workflow(
    name="model import",
    settings=ImportSettings,
    recipe="model/importing",
    inputs=inputs_in_order(
        ("path",), usage="FOLDER", problem="one model at a time",
        meaning="Its folder (config.json, weights, vocabulary), or its file of weights.",
    ),
    description="""Weights are checked, pickles converted, the vocabulary read. Nothing is downloaded, and nothing that
    the folder holds is run.""",
    examples=(
        "lingome model import downloads/grover -o models/grover",
        "lingome model import downloads/hyenadna/weights.ckpt -o models/hyenadna",
        "lingome model import downloads/dnabert --tokenizer downloads/vocab.txt -o models/dnabert",
    ),
)
