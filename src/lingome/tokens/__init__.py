"""One tokenizer a file, and Hugging Face tokenizer.json in and out."""
