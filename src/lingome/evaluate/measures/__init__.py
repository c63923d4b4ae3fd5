"""Metrics, intervals, paired comparisons."""
