"""Published ways of choosing the tokens that a masked model has to guess, as values.

================  ======================  ===========================  ========================
scheme            tokens to guess         together                     source
================  ======================  ===========================  ========================
``bert``          15%                     one by one                   arXiv:1810.04805, 3.1
``grover``        2.2%                    one by one                   10.1038/s42256-024-00872-0
``dnabert``       14.1% for k = 6         k overlapping words          10.1093/bioinformatics/btab083
================  ======================  ===========================  ========================

Of what is chosen, 80% becomes [MASK], 10% a random token and 10% stays, in all three. GROVER's paper names
the 2.2% but is brief about the rest, which is BERT's here. DNABERT's released program begins a span at a
word with probability 0.025, for every k, and draws its fate word by word; here a span has one fate, for the reason
given in `lingome.train.objectives.masked.mask_tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingome.core.errors import ConfigError
from lingome.tokens.overlap import words_over_a_base
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.masked import MaskedObjective


@dataclass(frozen=True)
class MaskScheme:
    """How tokens are chosen.

    Parameters
    ----------
    begins : float
        Probability that a token begins a span, 0..1; each independently.
    of_words : bool
        Whether a span is as long as there are words over a base; else it is a single token.
    source : str
        Where it is published.
    """

    begins: float
    of_words: bool
    source: str

    def objective(self, tokenizer: Tokenizer) -> MaskedObjective:
        """Give the objective that this scheme means for a vocabulary.

        Raises
        ------
        ConfigError
            If the scheme is one of overlapping words, and the vocabulary has none.

        >>> from lingome.tokens.kmers import KmerTokenizer
        >>> words = MASK_SCHEMES["dnabert"].objective(KmerTokenizer(6))
        >>> words.span, round(words.rate, 4)  # 1 - (1 - 0.025)^6
        (6, 0.1409)
        """
        if not self.of_words:
            return MaskedObjective(tokenizer, self.begins)
        span = words_over_a_base(tokenizer)
        if span == 1:
            raise ConfigError(
                "this masking scheme is one of overlapping words", where="mask_scheme", got=f"a {tokenizer.kind} "
                "vocabulary, whose tokens share no bases", expected="overlapping k-mers, k of 2 or more",
                hint="use mask_scheme=bert or mask_scheme=grover",
            )
        return MaskedObjective(tokenizer, 1 - (1 - self.begins) ** span, span)


MASK_SCHEMES = {
    "bert": MaskScheme(0.15, False, "Devlin et al. 2019, arXiv:1810.04805"),
    "grover": MaskScheme(0.022, False, "Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0"),
    "dnabert": MaskScheme(0.025, True, "Ji et al. 2021, doi:10.1093/bioinformatics/btab083"),
}
"""Schemes by name; the table in the module's description compares them."""


def masked_objective(
    tokenizer: Tokenizer, scheme: str | None = None, rate: float | None = None, span: int | None = None
) -> MaskedObjective:
    """Give the objective of a named scheme, or of a rate and a span.

    Parameters
    ----------
    tokenizer : Tokenizer
        The vocabulary.
    scheme : str, optional
        A name in `MASK_SCHEMES`; then `rate` and `span` are not given.
    rate, span : float and int, optional
        Share of tokens to guess, and how many are chosen together; 0.15 and 1 by default.

    Raises
    ------
    ConfigError
        If both are given, there is no such scheme, or it does not fit the vocabulary.
    """
    if scheme is None:
        return MaskedObjective(tokenizer, 0.15 if rate is None else rate, 1 if span is None else span)
    if rate is not None or span is not None:
        raise ConfigError("a masking scheme brings its rate and span", where="mask_scheme", got=scheme,
                          hint="leave out mask_rate and mask_span, or mask_scheme")
    if scheme not in MASK_SCHEMES:
        raise ConfigError("there is no such masking scheme", got=scheme, expected=", ".join(MASK_SCHEMES))
    return MASK_SCHEMES[scheme].objective(tokenizer)
