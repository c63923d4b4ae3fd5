"""Pre-training a language model on a genome: what it reads, what it starts from, one run or a ladder of runs."""
