"""The encoder-decoder transformer: T5."""
