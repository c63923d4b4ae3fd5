"""Typed settings of each workflow. No torch."""
