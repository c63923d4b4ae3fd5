"""Vocabularies that others published: read from their files, with their ids."""
