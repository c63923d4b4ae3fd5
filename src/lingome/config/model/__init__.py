"""Settings of the commands that look at models, import and export them, ``lingome model``."""
