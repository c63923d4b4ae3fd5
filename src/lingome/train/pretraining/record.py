"""What a pre-training run says of its model: where it comes from, what it has seen, and its card."""

from __future__ import annotations

from pathlib import Path

from lingome.config.pretrain import PretrainSettings
from lingome.core.lineage import Lineage
from lingome.data.areas import Areas
from lingome.data.genome import Genome
from lingome.models.folders.card import ModelCard
from lingome.models.open import find_model, read_lineage
from lingome.tokens.store import TokenStore
from lingome.train.objectives import LanguageObjective
from lingome.train.pretraining.corpus import Corpus


def add_origins(
    lineage: Lineage, settings: PretrainSettings, genome: Genome | TokenStore, tokenizer: Path | None = None
) -> None:
    """Record the inputs in a lineage: the sequence, and the runs that made the weights or the vocabulary.

    Parameters
    ----------
    lineage : Lineage
        Of the run.
    settings : PretrainSettings
        Say where the genome is, and what training starts from.
    genome : Genome or TokenStore
        The opened genome.
    tokenizer : Path, optional
        Folder of a vocabulary that was given; of no weight where weights or a store bring their own.
    """
    if isinstance(genome, TokenStore):
        lineage.add_input("token store", settings.genome / "manifest.json")
    else:
        lineage.add_input("genome", settings.genome)
    start_from = settings.start_from
    if start_from is not None:
        if before := read_lineage(find_model(start_from)):
            lineage.add_parent(before)
    elif isinstance(genome, TokenStore):
        lineage.add_tokenizer(settings.genome)
    elif tokenizer is not None:
        lineage.add_tokenizer(tokenizer)


def add_seen(lineage: Lineage, corpus: Corpus) -> None:
    """Record in a lineage what the vocabulary and the model learn from, and what they are measured on."""
    areas = corpus.areas
    seen = [("pretrain", areas.train), ("pretrain validation", areas.valid)]
    if corpus.trained_tokenizer:
        seen.insert(0, ("tokenizer", areas.train))
    for by, parts in seen:
        lineage.add_seen(by, corpus.genome.digest, [(part.chrom, part.start, part.end) for part in parts])


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
