"""What the shapes of all architectures share: fields that each has, and how their values are checked."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from lingome.core.errors import ConfigError


class Shape(Protocol):
    """What the shape of every architecture has: a frozen dataclass with at least these fields."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def vocab_size(self) -> int:
        """Tokens in the vocabulary."""

    @property
    def hidden_size(self) -> int:
        """D, numbers per token."""

    @property
    def n_layers(self) -> int:
        """Layers, 0 for a table."""

    @property
    def max_positions(self) -> int:
        """Longest sequence in tokens."""

    @property
    def pad_id(self) -> int:
        """The token of padding."""

    @property
    def cls_id(self) -> int:
        """The token that begins a sequence."""

    @property
    def sep_id(self) -> int:
        """The token that ends a sequence."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the classes; empty unless the model is a classifier."""


def require_tokens(config: Shape, *more: str) -> None:
    """Check that special tokens lie in the vocabulary (and the fields named in `more`), and no class has two names."""
    for name in ("pad_id", "cls_id", "sep_id", *more):
        got = getattr(config, name)
        require(0 <= got < config.vocab_size, name, got, f"an id below the vocabulary's {config.vocab_size}")
    names = config.label_names
    require(len(set(names)) == len(names), "label_names", names, "no name twice")


def require(fits: bool, name: str, got: object, expected: str) -> None:
    """Refuse a value of a field of the model's shape unless it fits.

    Parameters
    ----------
    fits : bool
        Whether it does.
    name : str
        Of the field.
    got : object
        The value.
    expected : str
        What it may be.

    Raises
    ------
    ConfigError
        If it does not.
    """
    if not fits:
        raise ConfigError(f"the model's {name} does not fit", where=name, got=got, expected=expected)
