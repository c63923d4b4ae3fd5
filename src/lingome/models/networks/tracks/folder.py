"""Folders of track models, under our own names: transformers has no Enformer."""

from __future__ import annotations

from lingome.models.mapping.family import Family, own_family
from lingome.models.networks.tracks.shape import TracksConfig

FAMILIES: tuple[Family, ...] = (own_family("lingome-tracks", TracksConfig, "tracks", "LingomeTracks"),)
