"""What a task gives away without a language model."""
