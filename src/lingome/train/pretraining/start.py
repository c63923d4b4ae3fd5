"""What pre-training starts from: sequence or stored tokens, a vocabulary, weights, an objective."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingome.config.pretrain import SOFT_MASKED, PretrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.lineage import Lineage
from lingome.data.compressed import is_folder
from lingome.data.genome import Genome, SoftMasked
from lingome.data.repeats import Repeats
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import Promise
from lingome.models.heads.language_model import LanguageModel
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.transformer.model import Transformer
from lingome.models.open import find_model, load_model, read_lineage
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import TokenStore, is_store, open_store
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.cost import Load
from lingome.train.identity import FREE
from lingome.train.objectives.contrastive import ContrastiveObjective
from lingome.train.objectives.corruption import build_span_model, check_sentinels, span_objective
from lingome.train.objectives.masking import masked_objective
from lingome.train.objectives.objectives import CausalObjective, LanguageObjective
from lingome.train.pretraining.areas import Areas

DATA_BYTES = 2.0
"""Bytes a base of a FASTA that is read, encoded and kept."""

ASIDE = {"out", "force", "resume", *(f"train.{name}" for name in FREE)}
"""Settings that may differ between a run and its resumption."""

Pretrainable = LanguageModel | EncoderDecoderLM
"""What can be pre-trained."""


@dataclass(frozen=True)
class ObjectiveKind:
    """How one objective comes by its model, and by itself.

    Parameters
    ----------
    preset : str
        Smallest useful shape, where none is asked for.
    build : callable
        Takes a preset, the size of the vocabulary and a seed, and gives a model with random weights.
    promise : str
        What a checkpoint to start from must hold, see `lingome.models.open.load_model`.
    objective : callable
        Takes the settings and the tokenizer.
    """

    preset: str
    build: Callable[[str, int, int], Pretrainable]
    promise: Promise
    objective: Callable[[PretrainSettings, Tokenizer], LanguageObjective]


def _masked(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    return masked_objective(tokenizer, settings.mask_scheme, settings.mask_rate, settings.mask_span)


def _causal(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    return CausalObjective(tokenizer)


def _contrastive(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    chosen = settings.contrastive
    return ContrastiveObjective(tokenizer, chosen.views, chosen.temperature, chosen.crop_share)


def _span(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    return span_objective(tokenizer, settings.mask_rate, settings.mask_span, settings.max_tokens)


OBJECTIVES: dict[str, ObjectiveKind] = {
    "masked": ObjectiveKind("mini", build_masked_lm, "masked_lm", _masked),
    "causal": ObjectiveKind("gpt-mini", build_causal_lm, "causal_lm", _causal),
    "span": ObjectiveKind("t5-mini", build_span_model, "seq2seq_lm", _span),
    "contrastive": ObjectiveKind("mini", build_masked_lm, "masked_lm", _contrastive),
}
"""What a language model can be pre-trained for, by the name that the settings use."""


def build_language_model(objective: str, preset: str | None, vocab_size: int, seed: int = 0) -> Pretrainable:
    """Build a model with random weights for an objective; its smallest useful preset by default.

    Raises
    ------
    ConfigError
        If no model of this kind has such a preset.
    """
    kind = OBJECTIVES[objective]
    return kind.build(preset or kind.preset, vocab_size, seed)


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
        objective = _contrastive(settings, BpeTokenizer([]))
        assert isinstance(objective, ContrastiveObjective)
        longest = min(settings.max_tokens, model.config.max_positions - 2)
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


def open_repeats(
    settings: PretrainSettings, genome: Genome | TokenStore, lineage: Lineage | None = None
) -> Repeats | None:
    """Read the repeats that settings name, if any; a file of them is recorded as an input in the lineage.

    Raises
    ------
    ConfigError
        If the genome is a token store, which keeps neither letters nor a place a token.
    DataError
        If they cannot be read, or none is on the genome.
    """
    if settings.repeats is None:
        return None
    if isinstance(genome, TokenStore):
        raise ConfigError("repeats need the FASTA: a token store does not say quickly where its tokens lie",
                          where="repeats", got=genome.path, expected="a FASTA as genome",
                          hint="pre-train from the FASTA that the store was written from")
    if str(settings.repeats) == SOFT_MASKED:
        return Repeats.of_soft_masked(settings.genome)
    found = Repeats.read(settings.repeats, genome.lengths)
    if lineage is not None:
        lineage.add_input("repeats", settings.repeats)
    return found


def training_load(
    settings: PretrainSettings, model: Pretrainable, genome: Genome | TokenStore, areas: Areas
) -> Load:
    """Say how large the steps are that settings ask for."""
    longest = min(settings.max_tokens, model.config.max_positions - 2)
    shortest = min(settings.min_tokens, longest)
    mean = round(settings.fixed_share * longest + (1 - settings.fixed_share) * (shortest + longest) / 2)
    learnt = sum(part.length_bp for part in areas.train)
    return Load(
        longest + 2, mean + 2, settings.validation_windows * (longest + 2) if areas.valid else 0,
        0 if isinstance(genome, TokenStore) else DATA_BYTES * learnt,
    )


def build_objective(settings: PretrainSettings, tokenizer: Tokenizer) -> LanguageObjective:
    """Give the objective that settings ask for.

    Raises
    ------
    ConfigError
        If a masking scheme does not fit the vocabulary.
    """
    return OBJECTIVES[settings.objective].objective(settings, tokenizer)


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


def add_origins(
    lineage: Lineage, path: Path, sequence: Genome | TokenStore, tokenizer: Path | None, start_from: Path | None
) -> None:
    """Record the inputs in a lineage: the sequence, and the runs that made the weights or the vocabulary."""
    if isinstance(sequence, TokenStore):
        lineage.add_input("token store", path / "manifest.json")
    else:
        lineage.add_input("genome", path)
    if start_from is not None:
        if before := read_lineage(find_model(start_from)):
            lineage.add_parent(before)
    elif isinstance(sequence, TokenStore):
        lineage.add_tokenizer(path)
    elif tokenizer is not None:
        lineage.add_tokenizer(tokenizer)


def on_strands(settings: PretrainSettings) -> str:
    """Say that bases are those of both strands, where they are."""
    return " of both strands" if settings.strands == "both" else ""


def build_card(settings: PretrainSettings, areas: Areas, objective: LanguageObjective) -> ModelCard:
    """Say what a model is, what it learnt from and how."""
    tokenizer = objective.tokenizer
    bases = f"{sum(part.length_bp for part in areas.train):,} bases{on_strands(settings)}"
    names = {"max_steps", "epochs", "max_seconds", "batch_tokens", "accumulate", "lr"}
    shown = settings.train.model_dump(include=names, exclude_none=True)
    repeated = {"repeats": settings.repeats, "repeat_weight": settings.repeat_weight} if settings.repeats else {}
    return ModelCard(
        title=f"{settings.objective.capitalize()} language model of {settings.genome.name}",
        summary=f"Guesses {objective.guesses} of DNA; pre-trained with lingome on {settings.genome.name}.",
        data=[f"{settings.genome.name}: {bases} as {tokenizer.kind} tokens; run.json lists the intervals"],
        training={**objective.settings, "lengths": settings.lengths, **repeated, "seed": settings.seed, **shown},
    )
