"""What to say about a vocabulary before a model is trained on it."""

from __future__ import annotations

from lingome.tokens.tokenizer import Tokenizer

BYTE_PAIRS_AND_CAUSAL = (
    "byte pairs suit masked models, not causal ones: the next token is not settled by the next bases, because "
    "tokens of several lengths begin alike. Under next-token prediction every byte-pair vocabulary of GENERator "
    "(arXiv:2502.07272) recovered less than 30% of the next bases, where chance is 25%, and 6-mers did best. "
    "Use 6-mers side by side or single bases, or train a masked model."
)
"""What `causal_warning` says of them."""


def causal_warning(tokenizer: Tokenizer) -> str | None:
    """Give the reason not to train a causal model on this vocabulary; None where there is none.

    Byte-pair tokens differ in length and contain each other, so that the next token is not settled by the next
    bases: `A`, `AT` and `ATT` all continue the same sequence. A masked model sees both ends of the gap it
    fills; a causal one does not, and pays for every choice of cut. Measured: under next-token prediction all
    byte-pair vocabularies of GENERator stayed below 0.30 recovery of the next bases (0.25 is chance) and
    6-mers were best (Wu et al. 2025, arXiv:2502.07272).

    >>> from lingome.tokens.bpe import BpeTokenizer
    >>> causal_warning(BpeTokenizer([])) is None  # single letters
    True
    >>> print(causal_warning(BpeTokenizer([(8, 8)])).split(":")[0])
    byte pairs suit masked models, not causal ones
    """
    if tokenizer.kind != "bpe" or not (tokenizer.token_lengths > 1).any():
        return None
    return BYTE_PAIRS_AND_CAUSAL
