"""Records (intervals, genomes, variants, motifs, examples), windows and splits; readers of files; the catalog."""
