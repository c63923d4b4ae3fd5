"""Settings of ``lingome model export``: which model, to which format."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.settings import Settings


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
    dtype: Literal["float32", "float16", "bfloat16"] = Field(default="float32", description="how weights are stored")
