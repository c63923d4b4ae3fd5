"""Settings of the commands of vocabularies, ``lingome tokens``."""
