"""Settings of ``lingome model``."""

from __future__ import annotations

from pydantic import Field

from lingome.config.schema.settings import Settings
from lingome.config.workflow import Workflow, inputs_in_order, no_inputs


class ListSettings(Settings):
    """Settings of ``lingome model list``: what is here, or what others published."""

    published: bool = Field(default=False, description="models of the field that are read here")


class ModelSettings(Settings):
    """Settings of ``lingome model count``: which model, with how large a vocabulary."""

    model: str = Field(description="published model, preset, packaged model, checkpoint or run")
    vocab_size: int | None = Field(
        default=None, ge=1, le=2**31, description="tokens in the vocabulary; by default its own, for presets 609"
    )


class ShowSettings(Settings):
    """Settings of ``lingome model show``: which model."""

    model: str = Field(description="packaged model, checkpoint or run; or a preset or published model")


LIST = Workflow(
    name="model list",
    settings=ListSettings,
    recipe="model/look",
    inputs=no_inputs("model list takes no inputs"),
    description="""Packaged models come with weights; presets are shapes to train; published models are counted only.
    A second table names the families of folders that are read.""",
    examples=("lingome model list", "lingome model list --published"),
    plan=None,
    run="list_models",
    ships_configs=False,
)
SHOW = Workflow(
    name="model show",
    settings=ShowSettings,
    recipe="model/look",
    inputs=inputs_in_order(
        ("model",), usage="MODEL", meaning="A name, or the folder of a checkpoint or a run.",
        problem="one model is shown at a time",
    ),
    description="The table also says what the model's ancestors have seen, and how its card begins.",
    examples=("lingome model show human-mini", "lingome model show runs/mine"),
    plan=None,
    run="show",
    ships_configs=False,
)
COUNT = Workflow(
    name="model count",
    settings=ModelSettings,
    recipe="model/look",
    inputs=inputs_in_order(
        ("model",), usage="MODEL", meaning="A name, or the folder of a checkpoint or a run.",
        problem="one model is counted at a time",
    ),
    description="""By formula for a name, from the file for a checkpoint. Of a checkpoint only the header of the
    weights is read, and the formula of its family is compared with it.""",
    examples=(
        "lingome model count gpt3",
        "lingome model count grover --vocab-size 1009",
        "lingome model count human-mini",
        "lingome model count runs/mine",
    ),
    plan=None,
    run="count",
)
