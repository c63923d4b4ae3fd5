"""The transformer encoder: BERT, ModernBERT, MosaicBERT, ESM, Nucleotide Transformer."""

from lingome.models.architecture import Architecture
from lingome.models.networks.transformer import folder, folder_esm
from lingome.models.networks.transformer.model import MaskedLMHead, Transformer, initialise_transformer
from lingome.models.networks.transformer.shape import TransformerConfig

ARCHITECTURE = Architecture(
    "transformer encoder", TransformerConfig, Transformer, initialise_transformer,
    families=(*folder_esm.FAMILIES, *folder.FAMILIES), masked_head=MaskedLMHead,
)
