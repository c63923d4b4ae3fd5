"""Sections of the page, each from the tables that it needs."""
