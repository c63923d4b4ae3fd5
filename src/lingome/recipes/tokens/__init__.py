"""The commands of vocabularies, ``lingome tokens``."""
