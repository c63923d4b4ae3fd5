"""Pre-training a language model on a genome: what it reads, what it starts from, one run or a ladder of runs."""

from lingome.train.pretraining.corpus import Corpus, WindowSettings, read_tokens
from lingome.train.pretraining.model import Pretrained, pretrain_model
from lingome.train.pretraining.results import describe, find_warnings, language_columns, language_rows

__all__ = [
    "Corpus", "Pretrained", "WindowSettings", "describe", "find_warnings", "language_columns", "language_rows",
    "pretrain_model", "read_tokens",
]
