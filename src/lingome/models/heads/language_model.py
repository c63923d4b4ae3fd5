"""What a language model of one sequence is: it gives each token a probability, from the others or those before it."""

from __future__ import annotations

from lingome.models.architecture import CausalModel
from lingome.models.heads.masked_lm import MaskedLM

LanguageModel = MaskedLM | CausalModel
"""A masked language model, whose body sees both sides, or a causal one, which guesses the next token; of any
architecture. An encoder-decoder is none: it gives probabilities to a second sequence, not to the one it reads."""
