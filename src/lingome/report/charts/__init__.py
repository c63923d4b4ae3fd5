"""Charts of the page: one function for each, rows in, an Altair chart out."""
