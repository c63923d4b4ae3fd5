"""What a model is trained for, and how a language model is measured while it trains.

The objectives that need nothing but a model and a batch can be imported from here; `corruption`, `contrastive` and
`tracks` bring architectures of their own.
"""

from lingome.train.objectives.causal import CausalObjective, Shifted, next_token_losses, next_tokens
from lingome.train.objectives.classification import ClassificationObjective
from lingome.train.objectives.masked import Masked, MaskedObjective, mask_tokens, masked_losses
from lingome.train.objectives.objective import IGNORED, Batch, LanguageObjective, LossSum, Objective

__all__ = [
    "IGNORED", "Batch", "CausalObjective", "ClassificationObjective", "LanguageObjective", "LossSum", "Masked",
    "MaskedObjective", "Objective", "Shifted", "mask_tokens", "masked_losses", "next_token_losses", "next_tokens",
]
