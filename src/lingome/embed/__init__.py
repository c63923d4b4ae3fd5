"""Sequences to vectors."""
