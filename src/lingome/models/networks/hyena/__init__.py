"""Long convolutions: HyenaDNA."""

from lingome.models.architecture import Architecture
from lingome.models.networks.hyena.folder import FAMILIES
from lingome.models.networks.hyena.model import Hyena, HyenaLM, initialise_hyena
from lingome.models.networks.hyena.shape import HyenaConfig

ARCHITECTURE = Architecture("Hyena", HyenaConfig, Hyena, initialise_hyena, FAMILIES, models={"causal_lm": HyenaLM})
