"""Vocabularies: trained on sequence, or read from a folder or file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lingome.api.genome import open_genome
from lingome.api.sequences import Sequences, read_named
from lingome.data.genome import Genome
from lingome.data.sequence import as_bases
from lingome.tokens import load as loading
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.bpe import train_bpe as learn
from lingome.tokens.tokenizer import Tokenizer


def train_bpe(
    genome: Genome | Sequences, merges: int = 600, *, both_strands: bool = False, threads: int | None = None
) -> BpeTokenizer:
    """Train a byte-pair vocabulary of DNA on uncut sequence, exactly and deterministically.

    Parameters
    ----------
    genome : Genome, str, Path, or sequences
        A genome, the path of a FASTA, or sequences as everywhere (a list, an array, a column of a table).
    merges : int
        How many merges; 600 are those of GROVER.
    both_strands : bool
        Count the reverse complement of every sequence as well.
    threads : int, optional
        Cores to use, by default all that this process may use; the result is the same.

    Returns
    -------
    BpeTokenizer
        ``tokenizer.encode("ACGT").offsets`` says which bases each token owns; `save` writes its folder.

    Raises
    ------
    ConfigError
        If `merges` is out of range.
    DataError
        If the sequence cannot be read, or there is nothing to learn from.

    Examples
    --------
    >>> import lingome as lg
    >>> tokenizer = lg.train_bpe(["ACGTACGTACGT", "TTACGTT"], merges=3)
    >>> encoding = tokenizer.encode("TACGTN")
    >>> [tokenizer.vocab[i] for i in encoding.input_ids], encoding.offsets.tolist()
    (['T', 'ACGT', '[UNK]'], [0, 1, 5, 6])
    """
    if isinstance(genome, str | Path) and Path(genome).is_file():
        genome = open_genome(genome)
    if isinstance(genome, Genome):
        whole = genome
        letters: Iterable = (whole.sequence(chrom) for chrom in whole.lengths)
    else:
        letters = (as_bases(text) for text in read_named(genome).sequences)
    return learn(letters, merges, both_strands=both_strands, threads=threads).tokenizer


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Restore a tokenizer from its folder, or read a vocabulary that others published.

    Parameters
    ----------
    path : str or Path
        A folder that ``tokenizer.save`` or ``lingome tokens train`` wrote, the folder of a model, or one file of a
        published vocabulary.

    Raises
    ------
    DataError
        If there is no tokenizer.
    CheckpointError
        If a file is corrupt, or holds a tokenizer that lingome cannot reproduce exactly.
    MissingExtraError
        If it is a SentencePiece model and `sentencepiece` is not installed.
    """
    return loading.load_tokenizer(Path(path).expanduser())
