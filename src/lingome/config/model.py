"""Settings of ``lingome model``."""

from __future__ import annotations

from pydantic import Field

from lingome.config.settings import Settings


class ModelSettings(Settings):
    """Settings of ``lingome model count``: which model, with how large a vocabulary."""

    model: str = Field(description="published model, preset, packaged model, checkpoint or run")
    vocab_size: int | None = Field(
        default=None, ge=1, le=2**31, description="tokens in the vocabulary; by default its own, for presets 609"
    )


class ShowSettings(Settings):
    """Settings of ``lingome model show``: which model."""

    model: str = Field(description="packaged model, checkpoint or run; or a preset or published model")


class ListSettings(Settings):
    """Settings of ``lingome model list``: what is here, or what others published."""

    published: bool = Field(default=False, description="models of the field that are read here")
