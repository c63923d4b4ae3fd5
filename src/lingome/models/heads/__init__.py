"""Models on a body of any architecture: masked language model, classifier, and what reads both strands."""
