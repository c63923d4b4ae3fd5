"""One workflow a file: the front door."""
