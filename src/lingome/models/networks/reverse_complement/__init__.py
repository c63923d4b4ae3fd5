"""Equivariance to the reverse complement, for any network of single bases."""
