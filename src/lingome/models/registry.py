"""Every architecture, by the class of its shape.

An architecture is a folder below `lingome.models.networks` that describes itself as a value, `ARCHITECTURE`. To add
one: that folder, and its name in the list below; then it can be trained, saved, embedded with, fine-tuned and checked
by `lingome.models.contract.check_model`. One of a package of its own is given to `register`.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from lingome.core.errors import ConfigError
from lingome.models.architecture import Architecture, Body
from lingome.models.mapping.family import Family
from lingome.models.networks import decoder, dilated, encoder_decoder, hyena, tracks, transformer, word2vec
from lingome.models.shape import Shape

ARCHITECTURES: dict[type, Architecture] = {}
"""Every architecture, by the class of its shapes; filled by `register`."""


def register(architecture: Architecture) -> None:
    """Add an architecture: from now on its models are built, saved, loaded, adapted and checked like all others.

    Raises
    ------
    ConfigError
        If an architecture with shapes of this class, or a kind of folder of this name, is there already.
    """
    if architecture.shape in ARCHITECTURES:
        raise ConfigError("there is an architecture with shapes of this class already", where="shape",
                          got=architecture.shape.__name__, expected="a class of its own")
    taken = {family.name for family in list_families()}
    for family in architecture.families:
        if family.name in taken:
            raise ConfigError("there is a kind of model folder of this name already", where="families",
                              got=family.name, expected="a name of its own")
    ARCHITECTURES[architecture.shape] = architecture


def list_families() -> tuple[Family, ...]:
    """List every kind of model folder, those of one architecture in its order."""
    return tuple(family for architecture in ARCHITECTURES.values() for family in architecture.families)


def find_architecture(config: Shape) -> Architecture:
    """Give the architecture of a shape.

    Raises
    ------
    ConfigError
        If no architecture has shapes of this class.
    """
    if type(config) not in ARCHITECTURES:
        raise ConfigError("no architecture has such a shape", got=type(config).__name__,
                          expected=", ".join(shape.__name__ for shape in ARCHITECTURES))
    return ARCHITECTURES[type(config)]


def shape_of(model: nn.Module) -> Shape:
    """Give the shape of a model or a body."""
    config: Any = model.config
    shape: Shape = config
    return shape


def build_body(config: Shape) -> Body:
    """Make the body that a shape describes; the weights are not set."""
    body = find_architecture(config).body(config)
    assert isinstance(body, Body)
    return body


def initialise(model: nn.Module, seed: int) -> None:
    """Set every weight by the rule of the model's architecture; each draw depends on `seed` and a name alone."""
    find_architecture(shape_of(model)).initialise(model, seed)


for _network in (transformer, decoder, hyena, dilated, tracks, encoder_decoder, word2vec):
    register(_network.ARCHITECTURE)
