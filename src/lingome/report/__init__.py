"""A run directory in, a page out. No torch."""
