"""The transformer decoder: GPT-2, Llama, Mistral, Mixtral."""
