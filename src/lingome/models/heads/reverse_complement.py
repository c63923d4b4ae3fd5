"""Equivariance to the reverse complement, for any model that reads one base per token.

A double strand has no first strand: read from the other side, a site is the same site. A model trained on
one strand does not know that. `ReverseComplement` lets one set of weights read both strands and averages
what it says of each base ("conjoined" in Zhou et al. 2022, Proceedings of Machine Learning Research
165:1). Weights are shared by the strands, not tied to each other inside the model. It costs two passes
and may wrap a model in training or only afterwards, which those authors recommend: train on both
strands, then wrap ("post-hoc conjoined": best or second on their tasks, never below wrapping in training).

With R for reverse complement, f for the model and flip for the change of its output that belongs to R,
``g(x) = (f(x) + flip f(R x)) / 2`` gives ``g(R x) = flip g(x)``, to rounding.

Shapes: B sequences, L tokens, V tokens of the vocabulary (rows of the output), D hidden size, n bins, T tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from lingome.core.errors import ConfigError, DataError
from lingome.tokens.tokenizer import Tokenizer

_PAIRS = dict(zip("ACGT", "TGCA", strict=True))


class Complement(NamedTuple):
    """What the other strand does to tokens.

    Parameters
    ----------
    ids : Tensor, (V,) int64
        The token that stands opposite each token; itself for all but letters.
    stands_for_base : Tensor, (V,) bool
        Tokens that own a base and so change places: letters, unknown ones, and the mask. ``[CLS]``, ``[SEP]``
        and padding stay where they are.
    """

    ids: Tensor
    stands_for_base: Tensor

    @classmethod
    def of(cls, tokenizer: Tokenizer, n_rows: int | None = None) -> Complement:
        """Make the tables of a vocabulary of single letters: A and T, C and G change places.

        Parameters
        ----------
        tokenizer : Tokenizer
            One letter per token.
        n_rows : int, optional
            Rows of the model's output where it has more than the vocabulary; the others stay.

        Raises
        ------
        ConfigError
            If tokens are longer than a base, if a base is missing, or if `n_rows` is too small. The opposite
            of a longer token is another cut of the sequence, not another token.

        Examples
        --------
        >>> from lingome.tokens.characters import CharacterTokenizer
        >>> Complement.of(CharacterTokenizer()).ids.tolist()
        [0, 1, 2, 3, 4, 8, 7, 6, 5]
        """
        longest = int(tokenizer.token_lengths.max())
        if longest != 1 or not all(letter in tokenizer.ids for letter in _PAIRS):
            raise ConfigError(
                "only a model that reads one base per token can be turned round", where="tokenizer",
                got=f"{tokenizer.kind}, tokens of up to {longest} letters", expected="tokens A, C, G and T",
            )
        n_rows = tokenizer.vocab_size if n_rows is None else n_rows
        if n_rows < tokenizer.vocab_size:
            raise ConfigError("the model has fewer rows than the vocabulary", where="n_rows", got=n_rows,
                              expected=f"at least {tokenizer.vocab_size}")
        ids = torch.arange(n_rows)
        stands = torch.zeros(n_rows, dtype=torch.bool)
        for letter, opposite in _PAIRS.items():
            ids[tokenizer.ids[letter]] = tokenizer.ids[opposite]
        for token in (*_PAIRS, "N", "[UNK]", tokenizer.roles["unk"], tokenizer.roles["mask"]):
            if token in tokenizer.ids:
                stands[tokenizer.ids[token]] = True
        return cls(ids, stands)


class ReverseComplement(nn.Module):
    """A model that reads both strands with one set of weights and averages what it says.

    Parameters
    ----------
    model : Module
        Called as ``model(input_ids_BL, attention_mask_BL)``.
    complement : Complement
        The vocabulary's table.
    output : {"tokens", "states", "sequence", "bins"}
        What the model gives: ``tokens``, scores (B, L, V) of the token at each position, which change places
        with their bases and their letters with each other; ``states``, vectors (B, L, D), which change
        places; ``sequence``, numbers (B, ...) of the whole sequence, the same for both strands; ``bins``, signal
        (B, n, T) of bins along a sequence of bases alone: the bins are read from the other end.
    opposite_tracks : sequence of int, optional
        For ``bins``: the track that stands on the other strand for each track, as signal of the plus strand and of
        the minus strand; each is itself unless given.

    Raises
    ------
    ConfigError
        If `output` is not one of these, or is ``tokens`` and the model says of itself (``model.causal``) that
        it scores the next token: on the other strand that is the previous one, so the two cannot be averaged.
        If `opposite_tracks` does not pair tracks.
    """

    def __init__(
        self, model: nn.Module, complement: Complement,
        output: Literal["tokens", "states", "sequence", "bins"] = "tokens",
        opposite_tracks: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if output not in ("tokens", "states", "sequence", "bins"):
            raise ConfigError("there is no such output", where="output", got=output,
                              expected="tokens, states, sequence or bins")
        self.opposite_tracks = None if opposite_tracks is None else check_pairs(opposite_tracks)
        if output == "tokens" and getattr(model, "causal", False):
            raise ConfigError(
                "scores of the next token cannot be averaged over strands", where="output", got=output,
                hint="wrap its body with output='states', or a model that predicts hidden tokens",
            )
        self.model = model
        self.output = output
        self.register_buffer("opposite_V", complement.ids, persistent=False)
        self.register_buffer("stands_V", complement.stands_for_base, persistent=False)

    opposite_V: Tensor
    stands_V: Tensor

    def places(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Give, for each position, the one it changes places with: (B, L) int64.

        The bases of a row are counted from the other end, whatever special tokens and padding stand
        around them; everything else stays. Twice is back again.
        """
        moves_BL = self.stands_V[input_ids_BL]
        if attention_mask_BL is not None:
            moves_BL = moves_BL & attention_mask_BL.bool()
        stay_BL = torch.arange(input_ids_BL.shape[1], device=input_ids_BL.device).expand_as(input_ids_BL)
        bases_first_BL = moves_BL.logical_not().byte().argsort(dim=1, stable=True)
        rank_BL = moves_BL.long().cumsum(dim=1) - 1
        mirrored_BL = (moves_BL.sum(dim=1, keepdim=True) - 1 - rank_BL).clamp(min=0, max=input_ids_BL.shape[1] - 1)
        return torch.where(moves_BL, bases_first_BL.gather(1, mirrored_BL), stay_BL)

    def turn(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Give the tokens of the other strand, read from its own start: (B, L)."""
        return self.opposite_V[input_ids_BL].gather(1, self.places(input_ids_BL, attention_mask_BL))

    def flip(self, output: Tensor, places_BL: Tensor) -> Tensor:
        """Change an output as the reverse complement changes it; twice is back again.

        Parameters
        ----------
        output : Tensor, (B, L, V), (B, L, D), (B, ...) or (B, n, T) float
            What the model gives, of the kind that `output` says of it.
        places_BL : Tensor, (B, L) int64
            What each position changes places with (`places`).

        Returns
        -------
        Tensor of float, of the shape of `output`
        """
        if self.output == "bins":
            return flip_bins(output, self.opposite_tracks)
        if self.output == "sequence":
            return output
        moved = output.gather(1, places_BL[:, :, None].expand_as(output))
        return moved[..., self.opposite_V] if self.output == "tokens" else moved

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Average what the model says of both strands, base by base.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            Token ids of one strand.
        attention_mask_BL : Tensor, (B, L) bool or 0/1, optional
            True at real tokens; hidden ones stay where they are, so it serves both strands.

        Returns
        -------
        Tensor
            Of the shape that the model gives.

        Raises
        ------
        DataError
            If bins are asked for and anything but bases stands in a row: then the bins of the other strand are others.
        """
        places_BL = self.places(input_ids_BL, attention_mask_BL)
        whole = torch.arange(input_ids_BL.shape[1] - 1, -1, -1, device=input_ids_BL.device)
        if self.output == "bins" and not bool((places_BL == whole).all()):
            raise DataError("bins are turned round with bases alone", got="special tokens or padding in a row",
                            hint="give tokens of bases, A, C, G, T or N, without [CLS], [SEP] and padding")
        turned_BL = self.opposite_V[input_ids_BL].gather(1, places_BL)
        there: Tensor = self.model(input_ids_BL, attention_mask_BL)
        back: Tensor = self.model(turned_BL, attention_mask_BL)
        return (there + self.flip(back, places_BL)) / 2


def flip_bins(signal: Tensor, opposite_tracks: Sequence[int] | None = None) -> Tensor:
    """Read bins from the other end, and each track where its opposite stands.

    Parameters
    ----------
    signal : Tensor, shape (..., n, T)
        Bins and tracks.
    opposite_tracks : sequence of int, optional
        The track on the other strand for each track; None: each is itself.

    Returns
    -------
    Tensor, shape (..., n, T)

    Examples
    --------
    >>> flip_bins(torch.tensor([[1, 2], [3, 4]]), [1, 0]).tolist()
    [[4, 3], [2, 1]]
    """
    turned = signal.flip(-2)
    return turned if opposite_tracks is None else turned[..., list(opposite_tracks)]


def check_pairs(opposite_tracks: Sequence[int]) -> list[int]:
    """Give the opposite of each track as a list.

    Raises
    ------
    ConfigError
        If the opposite of a track's opposite is another one.
    """
    pairs = list(opposite_tracks)
    known = range(len(pairs))
    if any(other not in known or pairs[other] != one for one, other in enumerate(pairs)):
        raise ConfigError("opposite tracks come in pairs", where="opposite_tracks", got=pairs,
                          expected=f"for each of tracks 0 to {len(pairs) - 1} its opposite, or itself")
    return pairs
