"""Which tokens may come next, and when a sequence is finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lingome.core.errors import ConfigError
from lingome.tokens.tokenizer import Tokenizer

# Dimension legend: B rows of a batch, V tokens in the vocabulary

Stop = Literal["end token", "bases", "tokens", "no token fits"]


@dataclass(frozen=True)
class Rules:
    """Masks and stop rules of one call; `rules_for` makes those of a tokenizer.

    Parameters
    ----------
    token_bases_V : Tensor of int64, shape (V,)
        Bases of each token; 0 for special ones.
    allowed_V : Tensor of bool, shape (V,)
        Tokens that may be written, the end tokens among them if they may.
    max_tokens : int
        Tokens to write at most, an end token among them.
    max_bases : int, optional
        Bases to write at most: a token that would exceed them is masked, and the sequence is
        finished where they are reached. None is no limit.
    min_bases : int
        End tokens are masked before so many bases are written.
    end_ids : tuple of int
        Tokens that finish a sequence.

    Raises
    ------
    ConfigError
        If a limit is out of range.
    """

    token_bases_V: Tensor
    allowed_V: Tensor
    max_tokens: int
    max_bases: int | None = None
    min_bases: int = 0
    end_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError("at least one token is to be written", where="max_tokens", got=self.max_tokens)
        if self.max_bases is not None and not max(1, self.min_bases) <= self.max_bases:
            raise ConfigError("the longest length is below the shortest", where="max_bases", got=self.max_bases,
                              expected=f"{max(1, self.min_bases)} or more")

    def fitting(self, bases_B: Tensor) -> Tensor:
        """Say which tokens may follow in rows that hold `bases_B` bases, bool (B, V)."""
        fits_BV = self.allowed_V.expand(len(bases_B), -1).clone()
        if self.max_bases is not None:
            fits_BV &= self.token_bases_V <= (self.max_bases - bases_B)[:, None]
        for token in self.end_ids:
            fits_BV[:, token] &= bases_B >= self.min_bases
        return fits_BV

    def stop(self, token: int, n_tokens: int, n_bases: int) -> Stop | None:
        """Say why a sequence is finished whose last token is `token`; None if it goes on."""
        if token in self.end_ids:
            return "end token"
        if self.max_bases is not None and n_bases >= self.max_bases:
            return "bases"
        return "tokens" if n_tokens >= self.max_tokens else None

    def ending(self, bases_B: Tensor, n_tokens: int) -> Tensor:
        """Say which tokens would finish rows that hold `n_tokens` tokens and `bases_B` bases, bool (B, V)."""
        ends_BV = torch.full((len(bases_B), len(self.allowed_V)), n_tokens + 1 >= self.max_tokens)
        if self.max_bases is not None:
            ends_BV |= bases_B[:, None] + self.token_bases_V >= self.max_bases
        ends_BV[:, list(self.end_ids)] = True
        return ends_BV


def rules_for(
    tokenizer: Tokenizer, *, max_bases: int, min_bases: int | None = None, max_tokens: int | None = None,
    letters: str | None = None,
) -> Rules:
    """Allow known tokens of some letters, up to a length.

    Parameters
    ----------
    tokenizer : Tokenizer
        Whose tokens are written.
    max_bases : int
        Bases to write at most.
    min_bases : int, optional
        The model may end a sequence from here on with its end token (``[SEP]``). By default it may not,
        and every sequence has `max_bases`, if the vocabulary has single letters.
    max_tokens : int, optional
        Tokens to write at most; by default as many as `max_bases` can need.
    letters : str, optional
        Letters to write with; all of the alphabet by default.

    Raises
    ------
    ConfigError
        If letters are unknown or nothing can be written with them, a limit does not fit, or k-mers overlap.
    """
    if tokenizer.kind == "kmers" and tokenizer.settings()["overlap"]:
        raise ConfigError("overlapping k-mers cannot be written one after the other", where="tokenizer",
                          got=f"{tokenizer.settings()['k']}-mers with overlap",
                          hint="use a model of single bases, or of k-mers side by side")
    asked = set((letters or tokenizer.alphabet.letters).upper())
    strange = sorted(asked - set(tokenizer.alphabet.letters))
    if strange:
        raise ConfigError("these letters are not in the model's alphabet", where="letters", got="".join(strange),
                          expected=tokenizer.alphabet.letters)
    bases_V = torch.from_numpy(tokenizer.token_lengths.copy())
    allowed_V = (bases_V > 0) & torch.tensor([set(token) <= asked for token in tokenizer.vocab])
    if not bool(allowed_V.any()):
        raise ConfigError("no token is written in these letters alone", where="letters", got="".join(sorted(asked)))
    ends: tuple[int, ...] = ()
    if min_bases is not None:
        ends = (tokenizer.sep_id,)
        allowed_V[tokenizer.sep_id] = True
    return Rules(bases_V, allowed_V, max_tokens or max_bases + len(ends), max_bases, min_bases or 0, ends)
