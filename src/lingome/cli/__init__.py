"""Parse, call a recipe, print, exit code."""
