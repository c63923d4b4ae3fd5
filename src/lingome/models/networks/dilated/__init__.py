"""Dilated convolutions: GPN."""
