"""One folder per architecture: its shape, its network, its Hugging Face folders, and what it is, `ARCHITECTURE`."""
