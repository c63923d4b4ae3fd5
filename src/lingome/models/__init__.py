"""One architecture a file, their presets, and Hugging Face folders in and out."""
