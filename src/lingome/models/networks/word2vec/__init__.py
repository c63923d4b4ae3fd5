"""Static vectors of tokens: Word2Vec."""

from lingome.models.architecture import Architecture
from lingome.models.networks.word2vec.folder import FAMILIES
from lingome.models.networks.word2vec.model import StaticEmbeddings, initialise_static
from lingome.models.networks.word2vec.shape import StaticConfig

ARCHITECTURE = Architecture("static vectors", StaticConfig, StaticEmbeddings, initialise_static, FAMILIES)
