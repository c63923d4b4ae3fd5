"""Write sequence with a causal language model: greedy, sampling, beam search."""
