"""A network that a test adds: layers that mix each token with the mean of its sequence."""

from lingome.models.architecture import Architecture
from lingome.models.networks.toy.folder import FAMILIES
from lingome.models.networks.toy.model import Toy, ToyHead, initialise_toy
from lingome.models.networks.toy.shape import ToyConfig

ARCHITECTURE = Architecture("toy", ToyConfig, Toy, initialise_toy, FAMILIES, masked_head=ToyHead)
