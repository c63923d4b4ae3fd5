"""The transformer decoder: GPT-2, Llama, Mistral, Mixtral."""

from lingome.models.architecture import Architecture
from lingome.models.networks.decoder.folder import FAMILIES
from lingome.models.networks.decoder.model import CausalLM, Decoder, initialise_causal
from lingome.models.networks.decoder.shape import DecoderConfig

ARCHITECTURE = Architecture(
    "transformer decoder", DecoderConfig, Decoder, initialise_causal, FAMILIES, models={"causal_lm": CausalLM}
)
