"""Records and readers: intervals, genomes, tables, windows, splits, the catalog."""
