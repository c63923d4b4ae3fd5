"""One architecture a folder: its shape, its network, its Hugging Face folder."""
