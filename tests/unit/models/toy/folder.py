"""Folders of a toy, under our own names."""

from __future__ import annotations

from lingome.models.mapping.family import Family, own_family
from lingome.models.networks.toy.shape import ToyConfig

FAMILIES: tuple[Family, ...] = (
    own_family("toy", ToyConfig, "masked_lm", "ToyMaskedLM", ties={"head.decoder.weight": "body.tokens.weight"}),
)
