"""How loss and cost grow with model and data."""
