"""The encoder-decoder transformer: T5."""

from lingome.models.architecture import Architecture
from lingome.models.networks.encoder_decoder.folder import FAMILIES
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM, EncoderStack, initialise_encoder_decoder
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig

ARCHITECTURE = Architecture(
    "transformer encoder-decoder", EncoderDecoderConfig, EncoderStack, initialise_encoder_decoder, FAMILIES,
    models={"seq2seq_lm": EncoderDecoderLM},
)
