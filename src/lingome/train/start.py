"""What pre-training starts from: sequence or stored tokens, a vocabulary, weights, an objective."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.lineage import Lineage
from lingome.core.rundir import RunDir
from lingome.data.compressed import is_folder
from lingome.data.genome import Genome, SoftMasked
from lingome.models.checkpoint import load_causal_lm, load_masked_lm
from lingome.models.decoder import CausalLM
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.models.transformer import MaskedLM
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import TokenStore
from lingome.tokens.store_files import is_store, open_store
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.masking import masked_objective
from lingome.train.objectives import CausalObjective, LanguageObjective

ObjectiveName = Literal["masked", "causal"]
LanguageModel = MaskedLM | CausalLM
"""What can be pre-trained."""


def build_language_model(objective: ObjectiveName, preset: str | None, vocab_size: int, seed: int = 0) -> LanguageModel:
    """Build a model with random weights for an objective; its smallest useful preset by default.

    Raises
    ------
    ConfigError
        If no model of this kind has such a preset.
    """
    if objective == "causal":
        return build_causal_lm(preset or "gpt-mini", vocab_size, seed)
    return build_masked_lm(preset or "mini", vocab_size, seed)


def build_objective(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    """Give the objective that settings ask for.

    Raises
    ------
    ConfigError
        If a masking scheme does not fit the vocabulary.
    """
    if settings.objective == "causal":
        return CausalObjective(tokenizer)
    return masked_objective(tokenizer, settings.mask_scheme, settings.mask_rate, settings.mask_span)


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
    sequence: Genome | TokenStore, settings: PretrainSettings
) -> tuple[Tokenizer, LanguageModel | None] | None:
    """Load the tokenizer, and the weights where there are some; None if byte pairs are still to be trained.

    Parameters
    ----------
    sequence : Genome or TokenStore
        A store brings its own tokenizer.
    settings : PretrainSettings
        `tokenizer` is the folder of one; `start_from`, a checkpoint or a run with one, brings shape and tokenizer,
        so that neither `preset` nor `tokenizer` may stand beside it.

    Raises
    ------
    ConfigError
        If two of them do not fit together, or the masking scheme does not fit byte pairs.
    DataError
        If one cannot be read.
    """
    tokenizer, start_from = settings.tokenizer, settings.start_from
    own = sequence.tokenizer if isinstance(sequence, TokenStore) else None
    model: LanguageModel | None = None
    if start_from is not None:
        if settings.preset is not None or tokenizer is not None:
            raise ConfigError(
                "a checkpoint brings its own shape and tokenizer", where="start_from",
                hint="leave out preset and tokenizer, or start_from",
            )
        load = load_causal_lm if settings.objective == "causal" else load_masked_lm
        model, given = load(_model_folder(start_from))
    elif tokenizer is not None:
        given = load_tokenizer(tokenizer)
    elif own is not None:
        return own, None
    else:
        build_objective(settings, BpeTokenizer([]))  # a scheme that cannot hide byte pairs is refused before the work
        return None
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
