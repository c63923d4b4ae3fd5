"""The shape of a toy, as checked values."""

from __future__ import annotations

from dataclasses import dataclass

from lingome.models.shape import require, require_tokens


@dataclass(frozen=True)
class ToyConfig:
    """Shape of a toy: the fields that every shape has, and how the head is tied.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    vocab_size: int = 9
    hidden_size: int = 16
    n_layers: int = 2
    max_positions: int = 256
    tie_head: bool = True
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "n_layers", "max_positions"):
            require(1 <= getattr(self, name) <= 2**20, name, getattr(self, name), f"1 to {2**20:,}")
        require_tokens(self)
