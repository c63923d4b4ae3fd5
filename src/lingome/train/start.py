"""What pre-training starts from: sequence or stored tokens, a vocabulary, weights."""

from __future__ import annotations

from pathlib import Path

from lingome.core.errors import ConfigError, DataError
from lingome.core.lineage import Lineage
from lingome.core.rundir import RunDir
from lingome.data.compressed import is_folder
from lingome.data.genome import Genome, SoftMasked
from lingome.models.checkpoint import load_masked_lm
from lingome.models.transformer import MaskedLM
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import TokenStore
from lingome.tokens.store_files import is_store, open_store
from lingome.tokens.tokenizer import Tokenizer


def open_sequence(path: Path, soft_masked: SoftMasked = "upper", *, verify: bool = True) -> Genome | TokenStore:
    """Open a FASTA, or a token store in its place.

    Parameters
    ----------
    verify : bool
        Read a store through, to be sure that no byte changed since it was written.

    Raises
    ------
    DataError
        If it cannot be read, or a store is damaged or of a genome that changed.
    ConfigError
        If soft-masked letters are to be N, but have tokens in the store.
    """
    if is_folder(path) and not is_store(path):
        raise DataError(
            "this is a folder, not a file", where=path,
            expected="a FASTA, or a token store: a folder with manifest.json",
            hint="write a store: lingome tokens encode TOKENIZER GENOME -o STORE",
        )
    if not is_folder(path):
        return Genome.open(path, soft_masked=soft_masked)
    store = open_store(path, verify=verify)
    if soft_masked == "n" and store.soft_masked != "n":
        raise ConfigError(
            "in this store, soft-masked letters have tokens", where="soft_masked", got=soft_masked,
            expected=store.soft_masked, hint="write a store with soft_masked=n",
        )
    return store


def given_tokenizer(
    sequence: Genome | TokenStore, tokenizer: Path | None, start_from: Path | None, preset: str | None
) -> tuple[Tokenizer, MaskedLM | None] | None:
    """Load the tokenizer, and the weights where there are some; None if a tokenizer is still to be trained.

    Parameters
    ----------
    sequence : Genome or TokenStore
        A store brings its own tokenizer.
    tokenizer : Path, optional
        Folder of a tokenizer.
    start_from : Path, optional
        Checkpoint, or run with one: brings shape and tokenizer.
    preset : str, optional
        Shape that was asked for.

    Raises
    ------
    ConfigError
        If two of them do not fit together.
    DataError
        If one cannot be read.
    """
    own = sequence.tokenizer if isinstance(sequence, TokenStore) else None
    model: MaskedLM | None = None
    if start_from is not None:
        if preset is not None or tokenizer is not None:
            raise ConfigError(
                "a checkpoint brings its own shape and tokenizer", where="start_from",
                hint="leave out preset and tokenizer, or start_from",
            )
        model, given = load_masked_lm(_model_folder(start_from))
    elif tokenizer is not None:
        given = load_tokenizer(tokenizer)
    else:
        return None if own is None else (own, None)
    if own is not None and own.digest != given.digest:
        raise ConfigError(
            "the token store was written with another tokenizer",
            where="tokenizer" if start_from is None else "start_from", got=f"digest {given.digest[:12]}",
            expected=f"digest {own.digest[:12]}",
            hint="leave it out, or write a store with it: lingome tokens encode TOKENIZER GENOME -o STORE",
        )
    return given, model


def add_origins(
    lineage: Lineage, path: Path, sequence: Genome | TokenStore, tokenizer: Path | None, start_from: Path | None
) -> None:
    """Record the inputs in a lineage: the sequence, and the runs that made the weights or the vocabulary."""
    if isinstance(sequence, TokenStore):
        lineage.add_input("token store", path / "manifest.json")
    else:
        lineage.add_input("genome", path)
    if start_from is not None:
        for folder in (start_from, start_from.parent):
            if (folder / "run.json").is_file():
                lineage.add_parent(RunDir(folder).read_lineage())
                break
    elif isinstance(sequence, TokenStore):
        lineage.add_tokenizer(path)
    elif tokenizer is not None:
        lineage.add_tokenizer(tokenizer)


def _model_folder(path: Path) -> Path:
    return path / "checkpoint" if (path / "checkpoint" / "config.json").is_file() else path
