"""Folders of static vectors, under our own names: no other library has a model of a table alone."""

from __future__ import annotations

from lingome.models.mapping.family import Family, own_family
from lingome.models.networks.word2vec.shape import StaticConfig

FAMILIES: tuple[Family, ...] = (own_family("word2vec", StaticConfig, "static", "LingomeStaticEmbeddings"),)
