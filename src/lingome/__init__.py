"""lingome: a workbench for the language models of biology."""

__version__ = "0.1.0"
