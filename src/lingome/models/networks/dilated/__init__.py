"""Dilated convolutions: GPN."""

from lingome.models.architecture import Architecture
from lingome.models.networks.dilated.folder import FAMILIES
from lingome.models.networks.dilated.model import Dilated, DilatedHead, initialise_dilated
from lingome.models.networks.dilated.shape import DilatedConfig

ARCHITECTURE = Architecture(
    "dilated convolution", DilatedConfig, Dilated, initialise_dilated, FAMILIES, masked_head=DilatedHead
)
