"""How likely a language model finds a sequence, and a change of it: every convention by name, with formula and sign.

x is a sequence of n tokens, p the model; x_-i is x with token i behind [MASK]. All are in nats; a change scores
**alt - ref**, so that above 0 the model prefers the alternative. M are the changed tokens, w the reference, a the
alternative; w_-M has all of M masked.

==================  ======================================================================  =====================
convention          score of a change                                                       rows read a change
==================  ======================================================================  =====================
``log_likelihood``  ln p(a) - ln p(w), ln p(x) = sum_i ln p(x_i | x_<i), causal             1, and w once
``pll``             PLL(a) - PLL(w), PLL(x) = sum_i ln p(x_i | x_-i)                        n, and n of w once
``wt_marginal``     sum_M ln p(a_i | w) - ln p(w_i | w), nothing masked                     w once
``wt_fill``         sum_M ln p(a_i | w_-i) - ln p(w_i | w_-i)                               M, shared by place
``mut_fill``        sum_M ln p(a_i | a_-i) - ln p(w_i | a_-i)                               M
``mask_fill``       sum_M ln p(a_i | w_-M) - ln p(w_i | w_-M)                               1 (2 if borders move)
``match_fill``      sum_M ln p(a_i | a_-i) - sum_M ln p(w_i | w_-i)                         M, and M of w
==================  ======================================================================  =====================

``log_likelihood`` and ``pll`` score whole sequences too. ``wt_marginal`` is the wild-type marginal and ``mask_fill``
the masked marginal of Meier et al. 2021 (doi:10.1101/2021.07.09.450648); what the code of ESM-1v calls masked
marginals is ``wt_fill``. ``pll`` is the pseudo-log-likelihood (Salazar et al. 2020, doi:10.18653/v1/2020.acl-main.240).
For one substitution of a one-letter token the four fills are one number.

Where tokens have several letters a change moves their borders. Reference and alternative are then cut into tokens
each on its own, and M are, in each, the tokens that the other has not at the same letters. ``log_likelihood`` and
``pll`` of whole windows keep their meaning (of the text as the tokenizer cuts it). ``mask_fill`` hides M in each, all
at once: ln p(a_M | a_-M) - ln p(w_M | w_-M), summed over tokens; ``match_fill`` hides them in turn. ``wt_marginal``,
``wt_fill`` and ``mut_fill`` ask for a token in the other's context, where it has no place: they are refused. So are
``pll`` and ``match_fill`` for words that share letters: a hidden word can be read off its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lingome.core.errors import ConfigError
from lingome.models.heads.language_model import LanguageModel
from lingome.models.scoring.questions import Questions, is_causal
from lingome.tokens.overlap import words_over_a_base
from lingome.tokens.tokenizer import Tokenizer


class Change(NamedTuple):
    """Reference and alternative as tokens, and the places in each of what the other has not."""

    ref: np.ndarray
    alt: np.ndarray
    ref_sites: np.ndarray
    alt_sites: np.ndarray


Ask = Callable[[Questions, int, Change, float], None]


@dataclass(frozen=True)
class Convention:
    """One way of scoring.

    Parameters
    ----------
    name : str
        As in the module's table.
    causal : bool
        Whether it is for causal models; else for masked ones.
    formula : str
        Of a change, as in the module's table.
    of_sequence : str
        Of a whole sequence; empty where there is none.
    ask : callable
        Puts the questions of one change.
    sites : bool
        Whether it looks at the changed places alone, so that both alleles need the same number of letters.
    one_letter : bool
        Whether every token has to be one letter.
    in_turn : bool
        Whether tokens are hidden one by one, which means nothing where words share letters.
    """

    name: str
    causal: bool
    formula: str
    ask: Ask
    of_sequence: str = ""
    sites: bool = True
    one_letter: bool = False
    in_turn: bool = False

    def says(self, *, changes: bool) -> str:
        """Give the formula of a change, or of a whole sequence."""
        return self.formula if changes else self.of_sequence

    def check(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        """Refuse models and vocabularies that it has no meaning for.

        Raises
        ------
        ConfigError
            If it has none.
        """
        if self.causal != is_causal(model):
            kind = "causal" if is_causal(model) else "masked"
            usable = [one.name for one in CONVENTIONS.values() if one.causal == is_causal(model)]
            raise ConfigError("this convention is not for this model", where="convention", got=self.name,
                              expected=f"for a {kind} model: {', '.join(usable)}")
        if self.one_letter and not has_one_letter_tokens(tokenizer):
            raise ConfigError(
                "this convention asks for a letter where the model has tokens of several", where="convention",
                got=f"{self.name}, and a {tokenizer.kind} vocabulary", expected="a vocabulary of single letters",
                hint="convention=mask_fill, match_fill or pll: they cut both alleles into tokens on their own",
            )
        if self.in_turn and words_over_a_base(tokenizer) > 1:
            raise ConfigError("a hidden word can be read off its neighbours", where="convention",
                              got=f"{self.name}, and words that share letters", hint="convention=mask_fill")


def has_one_letter_tokens(tokenizer: Tokenizer) -> bool:
    """Say whether every token stands for one letter."""
    return int(tokenizer.token_lengths.max()) == 1


def _log_likelihood(asked: Questions, item: int, change: Change, sign: float) -> None:
    shorter = min(len(change.ref), len(change.alt))
    differ = np.flatnonzero(change.ref[:shorter] != change.alt[:shorter])
    first = int(differ[0]) if len(differ) else shorter  # what comes before is the same in both, and cancels
    for ids, weight in ((change.alt, sign), (change.ref, -sign)):
        places = first + np.flatnonzero(ids[first:] != asked.tokenizer.unk_id)
        asked.ask(item, ids, places, ids[places], sign=weight)


def _pll(asked: Questions, item: int, change: Change, sign: float) -> None:
    ask_in_turn(asked, item, change.alt, np.flatnonzero(change.alt != asked.tokenizer.unk_id), sign)
    ask_in_turn(asked, item, change.ref, np.flatnonzero(change.ref != asked.tokenizer.unk_id), -sign)


def ask_in_turn(asked: Questions, item: int, ids: np.ndarray, places: np.ndarray, sign: float) -> None:
    """Hide tokens one by one, and ask what stands there: the terms of a pseudo-log-likelihood.

    Parameters
    ----------
    asked : Questions
        Gets the questions.
    item : int
        The item that the answers are added to.
    ids : ndarray of int, shape (n,)
        Tokens without special ones.
    places : ndarray of int, shape (J,)
        Which of them are hidden.
    sign : float
        Weight of the answers.
    """
    for place in places.tolist():
        asked.ask(item, ids, [place], ids[place : place + 1], hidden=[place], sign=sign)


def _wt_marginal(asked: Questions, item: int, change: Change, sign: float) -> None:
    sites = change.ref_sites
    asked.ask(item, change.ref, sites, change.alt[sites], sign=sign)
    asked.ask(item, change.ref, sites, change.ref[sites], sign=-sign)


def _fill(asked: Questions, item: int, change: Change, context: np.ndarray, sign: float) -> None:
    for site in change.ref_sites.tolist():
        asked.ask(item, context, [site], change.alt[site : site + 1], hidden=[site], sign=sign)
        asked.ask(item, context, [site], change.ref[site : site + 1], hidden=[site], sign=-sign)


def _wt_fill(asked: Questions, item: int, change: Change, sign: float) -> None:
    _fill(asked, item, change, change.ref, sign)


def _mut_fill(asked: Questions, item: int, change: Change, sign: float) -> None:
    _fill(asked, item, change, change.alt, sign)


def _mask_fill(asked: Questions, item: int, change: Change, sign: float) -> None:
    for ids, sites, weight in ((change.alt, change.alt_sites, sign), (change.ref, change.ref_sites, -sign)):
        asked.ask(item, ids, sites, ids[sites], hidden=sites, sign=weight)


def _match_fill(asked: Questions, item: int, change: Change, sign: float) -> None:
    ask_in_turn(asked, item, change.alt, change.alt_sites, sign)
    ask_in_turn(asked, item, change.ref, change.ref_sites, -sign)


CONVENTIONS = {
    one.name: one
    for one in (
        Convention("log_likelihood", True, "ln p(a) - ln p(w)", _log_likelihood, "sum_i ln p(x_i | x_<i)", sites=False),
        Convention("pll", False, "PLL(a) - PLL(w)", _pll, "sum_i ln p(x_i | x_-i)", sites=False, in_turn=True),
        Convention("wt_marginal", False, "sum_M ln p(a_i | w) - ln p(w_i | w)", _wt_marginal, one_letter=True),
        Convention("wt_fill", False, "sum_M ln p(a_i | w_-i) - ln p(w_i | w_-i)", _wt_fill, one_letter=True),
        Convention("mut_fill", False, "sum_M ln p(a_i | a_-i) - ln p(w_i | a_-i)", _mut_fill, one_letter=True),
        Convention("mask_fill", False, "sum_M ln p(a_i | w_-M) - ln p(w_i | w_-M)", _mask_fill),
        Convention("match_fill", False, "sum_M ln p(a_i | a_-i) - sum_M ln p(w_i | w_-i)", _match_fill, in_turn=True),
    )
}
"""Conventions by name."""


def find_convention(name: str | None, model: LanguageModel, tokenizer: Tokenizer, *, changes: bool) -> Convention:
    """Find a convention by name and check that it fits; by default the model's own.

    Parameters
    ----------
    name : str, optional
        ``log_likelihood`` for a causal model by default; for a masked one ``mask_fill`` of changes, ``pll`` of
        sequences.
    model : LanguageModel
        The model that is to score.
    tokenizer : Tokenizer
        The model's own.
    changes : bool
        Whether changes are scored, or whole sequences.

    Raises
    ------
    ConfigError
        If there is none of this name, or it has no meaning for this model, vocabulary or task.
    """
    if name is None:
        name = "log_likelihood" if is_causal(model) else "mask_fill" if changes else "pll"
    if name not in CONVENTIONS:
        raise ConfigError("there is no such convention", where="convention", got=name, expected=", ".join(CONVENTIONS))
    found = CONVENTIONS[name]
    found.check(model, tokenizer)
    if found.sites and not changes:
        raise ConfigError("this convention compares two alleles; a sequence alone has no such score",
                          where="convention", got=name, expected="log_likelihood or pll",
                          hint="give variants, or mutations of the sequence")
    return found
