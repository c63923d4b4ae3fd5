"""How many parameters a model has, row by row."""
