"""How well a language model predicts sequence."""
