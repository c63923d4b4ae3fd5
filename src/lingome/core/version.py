"""The version of lingome."""

__version__ = "0.1.0"
