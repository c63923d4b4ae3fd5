"""Metrics with intervals, baselines, leak checks, next-k-mer prediction."""
