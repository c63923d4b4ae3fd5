"""Open what pre-training reads: a genome or a token store, the areas to learn from and to measure on, repeats."""

from __future__ import annotations

from pathlib import Path

from lingome.config.pretrain import SOFT_MASKED, PretrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.lineage import Lineage
from lingome.data.areas import Areas, choose_areas
from lingome.data.genome import Genome, SoftMasked
from lingome.data.interval import Interval
from lingome.data.readers.compressed import is_folder
from lingome.data.repeats import Repeats
from lingome.tokens.store import TokenStore, is_store, open_store


def open_genome(settings: PretrainSettings, *, verify: bool = True) -> tuple[Genome | TokenStore, Areas]:
    """Open the genome, or a token store of it, and choose what to learn from and what to measure on.

    Raises
    ------
    ConfigError
        If a region to exclude cannot be read, or both strands are asked of a token store, which holds one.
    DataError
        If the genome cannot be read, or nothing is left to train on.
    """
    genome = open_sequence(settings.genome, settings.soft_masked, verify=verify)
    exclude = [Interval.parse(text, genome.lengths) for text in settings.exclude]
    both = settings.strands == "both"
    if both and isinstance(genome, TokenStore):
        raise ConfigError("a token store holds one strand", where="strands", got=genome.path,
                          expected="a FASTA as genome",
                          hint="pre-train from the FASTA that the store was written from, or with strands=forward")
    areas = choose_areas(
        genome.lengths, exclude, validation_share=settings.validation_share, gap_bp=settings.gap_bp, both_strands=both
    )
    return genome, areas


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
