"""The transformer encoder: BERT, ModernBERT, MosaicBERT, ESM, Nucleotide Transformer."""
