"""What pre-training starts from: a vocabulary, and weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError
from lingome.core.files import atomic_folder
from lingome.data.areas import Areas
from lingome.data.genome import Genome
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.transformer.model import Transformer
from lingome.models.open import find_model, load_model
from lingome.tokens.bpe import BpeTokenizer, train_bpe
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import TokenStore
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.contrastive import ContrastiveObjective
from lingome.train.objectives.corruption import check_sentinels
from lingome.train.pretraining.corpus import WindowSettings
from lingome.train.pretraining.kinds import OBJECTIVES, Pretrainable, build_language_model, build_objective


def given_tokenizer(
    sequence: Genome | TokenStore, settings: PretrainSettings
) -> tuple[Tokenizer, Pretrainable | None] | None:
    """Load the tokenizer, and the weights where there are some; None if byte pairs are still to be trained.

    Parameters
    ----------
    sequence : Genome or TokenStore
        A store brings its own tokenizer.
    settings : PretrainSettings
        `tokenizer` is the folder of one; `start_from`, a model by name, folder or run, brings shape and tokenizer,
        so that neither `preset` nor `tokenizer` may stand beside it.

    Raises
    ------
    ConfigError
        If two of them do not fit together, or the masking scheme does not fit byte pairs.
    DataError
        If one cannot be read.
    """
    tokenizer = settings.tokenizer
    start_from = settings.start_from
    own = sequence.tokenizer if isinstance(sequence, TokenStore) else None
    model: Pretrainable | None = None
    if start_from is not None:
        if settings.preset is not None or tokenizer is not None:
            raise ConfigError(
                "a checkpoint brings its own shape and tokenizer", where="start_from",
                hint="leave out preset and tokenizer, or start_from",
            )
        opened = load_model(find_model(start_from), OBJECTIVES[settings.objective].promise)
        model = opened.model
        given = opened.tokenizer
        if isinstance(model, EncoderDecoderLM):
            check_sentinels(model, given, opened.folder)
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


def train_tokenizer(settings: PretrainSettings, genome: Genome | TokenStore, areas: Areas, folder: Path) -> None:
    """Train byte pairs on the sequence to learn from, and save them in a folder.

    Parameters
    ----------
    settings : PretrainSettings
        Say how many merges.
    genome : Genome
        The sequence; a store brings its tokenizer.
    areas : Areas
        What is learnt from.
    folder : Path
        A new folder.
    """
    assert isinstance(genome, Genome), "a store brings its tokenizer"
    parts = (genome.sequence(part.chrom, part.start, part.end, part.strand) for part in areas.train)
    save_tokenizer(train_bpe(parts, settings.merges).tokenizer, folder)


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Save a tokenizer in a new folder, whole or not at all."""
    with atomic_folder(folder) as temporary:
        tokenizer.save(temporary)


def start_model(settings: PretrainSettings, loaded: Pretrainable | None, vocab_size: int) -> Pretrainable:
    """Give the model to train: the loaded one, or a new one; with the dropout that the settings ask for.

    Raises
    ------
    ConfigError
        If the model cannot do what the settings ask: two views by dropout, packed windows; or a batch is too small.
    """
    model = loaded or build_language_model(settings.objective, settings.preset, vocab_size, settings.seed)
    model = model if settings.dropout is None else with_dropout(model, settings.dropout)
    if settings.objective == "contrastive":
        assert isinstance(model, MaskedLM), "its kind builds and loads this class"
        objective = build_objective(settings, BpeTokenizer([]))
        assert isinstance(objective, ContrastiveObjective)
        longest = WindowSettings.of(settings).longest(model.config.max_positions)
        objective.check(model, settings.train.batch_tokens // longest)
    if settings.lengths == "mixed" and not (isinstance(model, MaskedLM) and isinstance(model.body, Transformer)):
        raise ConfigError("only a transformer encoder reads packed windows", where="lengths", got="mixed",
                          hint="use lengths=batch, whose batches have no padding either")
    return model


def with_dropout(model: Pretrainable, share: float) -> Pretrainable:
    """Give the same model, built with another dropout.

    Raises
    ------
    ConfigError
        If its architecture has none.
    """
    if not hasattr(model.config, "dropout"):
        raise ConfigError("this architecture has no dropout", where="dropout", got=type(model.config).__name__)
    build: Callable[[Any], Pretrainable] = type(model)
    other = build(dataclasses.replace(model.config, dropout=share))
    other.load_state_dict(model.state_dict())
    return other
