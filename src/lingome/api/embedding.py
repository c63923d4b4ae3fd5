"""What embedding needs beforehand: cut sequences to the model's context, and say what was lost."""

from __future__ import annotations

from collections.abc import Sequence

from lingome.config.embed import LongPolicy, Per, Pooling
from lingome.core.progress import say
from lingome.embed.encode import check_choice
from lingome.models.architecture import Body
from lingome.models.reading.pieces import Pieces, cut_to_fit
from lingome.models.reading.reader import Layer
from lingome.tokens.alphabet import doubt_letters
from lingome.tokens.tokenizer import Tokenizer


def cut_for_embedding(
    body: Body, tokenizer: Tokenizer, sequences: Sequence[str], *, layer: Layer, pooling: Pooling, too_long: LongPolicy
) -> Pieces:
    """Cut sequences into tokens that fit the model, after a look at what is asked for.

    Parameters
    ----------
    body, tokenizer
        The model's.
    sequences : sequence of str
        N sequences.
    layer, pooling, too_long
        As in `lingome.api.model.Model.embed`.

    Raises
    ------
    ConfigError
        If the model has no such layer, or no meaning for ``[CLS]``.
    DataError
        If a sequence is empty, or too long under ``error``.
    """
    check_choice(body, layer, pooling)
    for doubt in doubt_letters(tokenizer.alphabet, sequences):
        say(f"warning: {doubt}")
    return cut_to_fit(tokenizer, sequences, body.config.max_positions, too_long)


def say_what_was_cut(pieces: Pieces, n_sequences: int, *, too_long: LongPolicy, per: Per) -> None:
    """Say how many sequences did not fit the context, and how many letters are not in the vocabulary.

    Parameters
    ----------
    pieces : Pieces
        From `cut_for_embedding`.
    n_sequences : int
        Sequences that the pieces are of.
    too_long, per
        What was asked for.
    """
    if pieces.n_long:
        windows = "averaged over windows" if per == "sequence" else "read in windows"
        done = "cut at the end" if too_long == "truncate" else windows
        say(f"warning: {pieces.n_long:,} of {n_sequences:,} sequences are longer than the context and were {done}")
    if pieces.n_unknown:
        say(f"warning: {pieces.n_unknown:,} letters are not in the vocabulary (N and the like), and were read as [UNK]")
