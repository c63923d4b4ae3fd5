"""Settings of ``lingome model export``: which model, to which format."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.schema.settings import Settings
from lingome.config.workflow import Workflow, inputs_in_order


class ExportSettings(Settings):
    """What is written."""

    model: str = Field(description="packaged model, checkpoint or run")
    out: Path = Field(default=Path("runs/exported"), description="the folder to write")
    force: bool = Field(default=False, description="replace a folder that exists")
    format: Literal["transformers", "onnx", "safetensors"] = Field(
        default="safetensors",
        description="transformers: a folder that it loads; onnx: a checked graph; safetensors: any model for lingome",
    )
    part: Literal["whole", "body"] = Field(default="whole", description="body: without any head")
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32", description="how weights are stored; a graph is float32"
    )


WORKFLOW = Workflow(
    name="model export",
    settings=ExportSettings,
    recipe="model/exporting",
    inputs=inputs_in_order(
        ("model",), usage="MODEL", meaning="A name, or the folder of a checkpoint or a run.",
        problem="one model at a time",
    ),
    description="A folder that transformers loads, a checked ONNX graph, or the weights alone.",
    examples=(
        "lingome model export human-mini -o out/human-mini --format transformers",
        "lingome model export runs/mine -o out/mine --format onnx",
        "lingome model export runs/mine -o out/mine dtype=bfloat16",
    ),
)
