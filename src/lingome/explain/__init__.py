"""Token and embedding analysis."""
