"""How likely a language model finds sequences and variants, by named conventions."""
