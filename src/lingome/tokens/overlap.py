"""What masking hides when words share bases: overlapping k-mers leak.

A base of a sequence lies under up to k overlapping words, and one visible word is enough to read
it. Masking m consecutive words therefore hides max(0, m - k + 1) bases, more only at the ends of
the sequence, where fewer words lie over a base. Words side by side and byte pairs share nothing:
each masked token hides the bases it owns.

Pre-training draws what to hide at random, in spans of tokens: see `span_start_rate`, and
`lingome.train.objectives.masked.mask_tokens`, which draws them.
"""

from __future__ import annotations

import numpy as np

from lingome.core.errors import DataError
from lingome.tokens.tokenizer import Encoding, Tokenizer

MASK_SHARE = 0.8
"""Of the tokens chosen for prediction, the share behind [MASK] (Devlin et al. 2019, arXiv:1810.04805)."""

HIDES_TOO_LITTLE = 0.1
"""Hidden bases for each [MASK] below which `overlap_warning` speaks. A span of k words hides one base in k
words, at least 0.125 for k up to 8; shorter spans at the usual rates (15% or less) stay below 0.1."""


def hidden_bases(masked: np.ndarray, k: int, overlap: bool = True, n_bases: int | None = None) -> np.ndarray:
    """Say which bases no visible k-mer shows.

    Parameters
    ----------
    masked : ndarray of bool, shape (..., L)
        True where a token is hidden, for the tokens of one sequence without special ones.
    k : int
        Bases of a word.
    overlap : bool
        A word at every base; or words side by side, with single letters at the end for the bases
        that fill no word.
    n_bases : int, optional
        Length of the sequence; by default L + k - 1 with overlap, and L k without. Needed for a
        sequence shorter than k (which has one [UNK] per base: nothing of it is ever shown) and for
        single letters at the end.

    Returns
    -------
    ndarray of bool, shape (..., n_bases)
        True where a base is hidden; its sum is how many are.

    Raises
    ------
    DataError
        If a sequence of `n_bases` has another number of tokens.

    Examples
    --------
    >>> hidden_bases(np.array([0, 1, 1, 1, 1, 0], dtype=bool), k=3).astype(int)  # four words hide 4 - 3 + 1 bases
    array([0, 0, 0, 1, 1, 0, 0, 0])
    """
    masked = np.asarray(masked, dtype=bool)
    n_tokens = masked.shape[-1]
    if n_bases is None:
        n_bases = (n_tokens + k - 1 if n_tokens else 0) if overlap else n_tokens * k
    expected = _count_tokens(n_bases, k, overlap)
    if n_tokens != expected:
        raise DataError(
            f"{n_bases} bases have another number of tokens", where="masked", got=n_tokens, expected=expected,
            hint=f"words of {k} bases, {'one at every base' if overlap else 'side by side, then single letters'}",
        )
    if not overlap:
        owned = np.full(n_tokens, k)
        owned[n_bases // k :] = 1
        return np.repeat(masked, owned, axis=-1)
    if n_bases < k:
        return np.ones((*masked.shape[:-1], n_bases), dtype=bool)
    # Base b lies under the words that begin at b - k + 1 .. b: hidden if none of them is visible.
    visible = np.zeros((*masked.shape[:-1], n_tokens + 1), dtype=np.int64)
    np.cumsum(~masked, axis=-1, out=visible[..., 1:])
    bases = np.arange(n_bases)
    first = np.maximum(0, bases - k + 1)
    last = np.minimum(bases + 1, n_tokens)
    hidden: np.ndarray = visible[..., last] == visible[..., first]
    return hidden


def hidden_bases_of(tokenizer: Tokenizer, encoding: Encoding, masked: np.ndarray) -> np.ndarray:
    """Say which bases of an encoded sequence no visible token shows, for any tokenizer.

    An unknown token shows nothing, masked or not; so a letter that is not in the alphabet is
    always among the hidden ones.

    Parameters
    ----------
    tokenizer : Tokenizer
        The one that gave `encoding`.
    encoding : Encoding
        One sequence, L tokens, n bases.
    masked : ndarray of bool, shape (..., L)
        True where a token is hidden.

    Returns
    -------
    ndarray of bool, shape (..., n)

    Examples
    --------
    >>> from lingome.tokens.kmers import KmerTokenizer
    >>> words = KmerTokenizer(3)
    >>> hidden_bases_of(words, words.encode("TAGCGTAT"), np.array([0, 1, 1, 1, 0, 0], dtype=bool)).nonzero()[0]
    array([3])
    """
    masked = np.asarray(masked, dtype=bool) | (encoding.input_ids == tokenizer.unk_id)
    k = words_over_a_base(tokenizer)
    if k > 1:
        return hidden_bases(masked, k, n_bases=int(encoding.offsets[-1]))
    return np.repeat(masked, np.diff(encoding.offsets), axis=-1)


def words_over_a_base(tokenizer: Tokenizer) -> int:
    """Give how many tokens lie over a base far from the ends: k for overlapping k-mers, else 1."""
    settings = tokenizer.settings()
    return int(settings["k"]) if settings.get("overlap") else 1


def span_start_rate(rate: float, span: int) -> float:
    """Give the probability that a span begins at a token, so that a share `rate` of tokens lies in one.

    Spans begin independently and may run into each other: a token is left out if none of the `span`
    tokens up to it begins one, ``1 - rate = (1 - start)^span``.

    >>> round(span_start_rate(1 - (1 - 0.025) ** 6, 6), 12)  # DNABERT: p = 0.025 for 6-mers, 14.1% of tokens
    0.025
    """
    return rate if span == 1 else float(1 - (1 - rate) ** (1 / span))


def expected_hidden_share(tokenizer: Tokenizer, rate: float, span: int = 1, mask_share: float = MASK_SHARE) -> float:
    """Compute the share of bases that pre-training's random masks hide, far from the ends of a window.

    A base is hidden if all tokens over it are behind [MASK]. Of the spans, the share `mask_share` is;
    the others are replaced by random tokens or kept, and so are not counted: a kept word shows its
    bases, and a random one says something of them, if not the truth.

    Parameters
    ----------
    tokenizer : Tokenizer
        Says how many words lie over a base.
    rate : float
        Share of tokens to predict, 0..1.
    span : int
        Consecutive tokens that are chosen, and hidden, together.
    mask_share : float
        Share of spans behind [MASK].

    Returns
    -------
    float
        Exact, 0..1: ``rate * mask_share`` where tokens share no bases, and
        ``(rate * mask_share)^k`` for single overlapping k-mers.

    Notes
    -----
    Reads k tokens from left to right. The state is the distance d to the last beginning of a span,
    which must be less than `span` and of a span behind [MASK]; a token begins a span with
    probability s (`span_start_rate`), so at the first token p(d) = s (1 - s)^d `mask_share`.
    """
    start = span_start_rate(rate, span)
    state = start * mask_share * (1 - start) ** np.arange(span)
    for _ in range(words_over_a_base(tokenizer) - 1):
        state = np.concatenate([[start * mask_share * state.sum()], (1 - start) * state[:-1]])
    return float(state.sum())


def overlap_warning(tokenizer: Tokenizer, rate: float, span: int = 1) -> str | None:
    """Say so if masking hides next to nothing, and what to do; else give None.

    Parameters
    ----------
    tokenizer, rate, span
        As in `expected_hidden_share`.

    Returns
    -------
    str or None
        A text when fewer than `HIDES_TOO_LITTLE` bases are hidden for each [MASK].
    """
    k = words_over_a_base(tokenizer)
    hidden = expected_hidden_share(tokenizer, rate, span)
    behind = rate * MASK_SHARE
    if hidden >= HIDES_TOO_LITTLE * behind:
        return None
    longer = expected_hidden_share(tokenizer, rate, 2 * k)
    who = "a single mask leaves" if span == 1 else f"spans of {span} leave"
    return (
        f"words of {k} bases overlap, and {who} nearly every base to be read in a visible neighbour: "
        f"{behind:.1%} of the words are masked, but {100 * hidden:.2g}% of the bases are hidden, so a low loss only "
        f"says that the model can spell; set mask_span={k} or more ({2 * k} hides {longer:.1%} of the bases), or use "
        f"words side by side or byte pairs"
    )


def _count_tokens(n_bases: int, k: int, overlap: bool) -> int:
    if not overlap:
        return n_bases // k + n_bases % k
    return n_bases - k + 1 if n_bases >= k else n_bases
