"""Byte pairs of sequence: the tokenizer, its exact training, its exact encoding."""

from lingome.tokens.bpe.byte_pairs import BpeTokenizer, vocabulary_size
from lingome.tokens.bpe.training import BpeTraining, available_cores, train_bpe

__all__ = ["BpeTokenizer", "BpeTraining", "available_cores", "train_bpe", "vocabulary_size"]
