"""Errors, run directories, seeds, progress. No science, no torch."""
