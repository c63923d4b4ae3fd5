"""Readers of files, one format or kind of content a file."""
