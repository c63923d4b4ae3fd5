"""Ways to adapt a pre-trained model, passed as values."""
