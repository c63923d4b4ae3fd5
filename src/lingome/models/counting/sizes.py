"""The sizes of a network that formulas of all families share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """The sizes that the factors of a count are named after.

    Parameters
    ----------
    vocab_size, hidden_size, n_layers, n_heads : int
        V, D, L and H.
    ffn_size : int, optional
        F; 4 D by default.
    n_kv_heads, head_size : int, optional
        G and K, of keys and values; H and D / H by default.
    max_positions : int
        P, rows of the table of learned positions; 0 without one.
    n_classes : int
        C, outputs of a classifier; 0 without one.
    """

    vocab_size: int
    hidden_size: int
    n_layers: int
    n_heads: int = 1
    ffn_size: int | None = None
    n_kv_heads: int | None = None
    head_size: int | None = None
    max_positions: int = 0
    n_classes: int = 0

    def symbols(self, letters: str) -> dict[str, int]:
        """Give the sizes that formulas name by these letters, in their order.

        >>> Sizes(vocab_size=609, hidden_size=768, n_layers=12, n_heads=12).symbols("VDFK")
        {'V': 609, 'D': 768, 'F': 3072, 'K': 64}
        """
        every = {
            "V": self.vocab_size, "D": self.hidden_size, "L": self.n_layers, "H": self.n_heads,
            "F": 4 * self.hidden_size if self.ffn_size is None else self.ffn_size, "G": self.n_kv_heads or self.n_heads,
            "K": self.head_size or self.hidden_size // max(1, self.n_heads), "P": self.max_positions,
            "C": self.n_classes,
        }
        return {letter: every[letter] for letter in letters}
