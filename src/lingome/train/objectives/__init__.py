"""What a model is trained for, and how a language model is measured while it trains."""
