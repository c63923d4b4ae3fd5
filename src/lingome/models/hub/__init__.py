"""Models of the Hugging Face hub by their name, ``hub:OWNER/NAME``, downloaded once into the cache."""

from lingome.models.hub.fetch import fetch_model
from lingome.models.hub.origin import read_origin

__all__ = ["fetch_model", "read_origin"]
