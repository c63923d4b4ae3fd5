"""Turn sequences into vectors, and keep them with how they were made."""

from __future__ import annotations

from typing import Any, NamedTuple

from lingome.api.embedding import cut_for_embedding, say_what_was_cut
from lingome.config.embed import EmbedSettings
from lingome.core.errors import ConfigError
from lingome.core.files import check_new_file
from lingome.core.outcome import Outcome, Plan
from lingome.core.progress import say
from lingome.data.genome import Genome
from lingome.data.readers.tables import read_sequences
from lingome.embed.encode import embed_pieces, fill_rows, lay_rows, sample_cosine
from lingome.embed.written import open_vectors, say_size, table_beside
from lingome.genome.regions import read_windows
from lingome.genome.task import read_places
from lingome.models.architecture import Body
from lingome.models.devices import pick_device
from lingome.models.open import Opened, load_model
from lingome.models.presets import count_parameters
from lingome.models.reading.cost import estimate_reading
from lingome.models.reading.pieces import Pieces
from lingome.models.reading.reader import Reader, count_features, read_states
from lingome.tokens.frame import N_SPECIAL

MANY_BYTES = 10**9
"""Output above which a warning is said."""


class Work(NamedTuple):
    """What is to be done.

    Parameters
    ----------
    start : Opened
        The model.
    ids : list of str
        Names of the sequences.
    pieces : Pieces
        Their tokens.
    n_rows, n_numbers : int
        Vectors, and numbers in each.
    """

    start: Opened[Body]
    ids: list[str]
    pieces: Pieces
    n_rows: int
    n_numbers: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the vectors."""
        return 4 * self.n_rows * self.n_numbers


def plan(settings: EmbedSettings) -> Plan:
    """Load the model, read and encode the inputs, and say what would be embedded."""
    start, ids, pieces, n_rows, n_numbers = work = _open(settings)
    n_tokens = sum(len(one) for one in pieces.ids)
    n_parameters = count_parameters(start.model)
    device = pick_device(settings.device)
    reader = Reader.of(start.model, device, settings.precision)
    n_read = n_tokens + N_SPECIAL * len(pieces.ids)
    cost = estimate_reading(
        lambda rows: list(read_states(reader, start.tokenizer, rows, layer=settings.layer,
                                      batch_tokens=settings.batch_tokens)),
        start.model, start.tokenizer, n_read, n_read / max(1, len(pieces.ids)), device=device,
        batch_tokens=settings.batch_tokens, copies=2,
    )
    held = 0 if settings.out.suffix == ".npy" else work.size_bytes
    how = settings.pooling if settings.per == "sequence" else f"one per {settings.per}"
    return Plan("embed", [
        ("model", f"{start.name}: {n_parameters:,} parameters"),
        ("sequences", f"{len(ids):,}, {n_tokens:,} tokens; {pieces.n_long:,} longer than the context"),
        ("vectors", f"{n_rows:,} x {n_numbers}, layer {settings.layer}, {how}"),
        ("precision", settings.precision),
        ("size", say_size(work.size_bytes)),
        *cost._replace(memory_bytes=cost.memory_bytes + held).rows(),
        ("output", str(settings.out)),
    ])


def run(settings: EmbedSettings) -> Outcome:
    """Embed everything, and write one NumPy archive, or a matrix and a table.

    The archive holds ``ids`` (text), ``embeddings`` (float32), and how they were made: ``model``, ``model_sha256``,
    ``tokenizer_sha256``, ``layer``, ``per``, ``pooling``, ``too_long``, ``n_long``, ``n_unknown``, ``precision`` and
    ``cosine_fp32``; for tokens also ``cuts``, ``starts`` and ``ends``, for bases ``cuts``.
    """
    start, ids, pieces, n_rows, n_numbers = work = _open(settings)
    _warn(settings, work)
    reader = Reader.of(start.model, pick_device(settings.device), settings.precision)
    made: dict[str, Any] = {
        "model": start.name, "model_sha256": start.digest, "tokenizer_sha256": start.tokenizer.digest,
        "layer": settings.layer, "per": settings.per,
        "pooling": settings.pooling if settings.per == "sequence" else "none", "too_long": settings.too_long,
        "n_long": pieces.n_long, "n_unknown": pieces.n_unknown, "precision": reader.precision, "cosine_fp32": 1.0,
    }
    if reader.precision != "fp32":
        cosine = sample_cosine(start.model, reader, start.tokenizer, pieces, layer=settings.layer)
        made["cosine_fp32"] = cosine
        say(f"precision {reader.precision}: 1 - cosine to fp32 is at most {1 - cosine:.1e} on a sample")
    files: dict[str, Any] = {"out": settings.out, "force": settings.force, "made": made, "ids": ids}
    if settings.per == "sequence":
        vectors = embed_pieces(reader, start.tokenizer, pieces, layer=settings.layer, pooling=settings.pooling,
                               batch_tokens=settings.batch_tokens)
        with open_vectors(shape=vectors.shape, **files) as out:
            out[:] = vectors
    else:
        rows = lay_rows(pieces, len(ids), bases=settings.per == "base")
        with open_vectors(shape=(n_rows, n_numbers), rows=rows, **files) as out:
            fill_rows(reader, start.tokenizer, pieces, rows, out, layer=settings.layer,
                      batch_tokens=settings.batch_tokens)
    size = f"{n_numbers} numbers ({say_size(work.size_bytes)})"
    return Outcome(f"{n_rows:,} vectors of {size}: {settings.out}", path=settings.out)


def _warn(settings: EmbedSettings, work: Work) -> None:
    """Say what was cut, not known, or is large."""
    say_what_was_cut(work.pieces, len(work.ids), too_long=settings.too_long, per=settings.per)
    if work.size_bytes > MANY_BYTES:
        held = "" if settings.out.suffix == ".npy" else ", all in memory at once; -o X.npy goes to the disk directly"
        say(f"warning: {work.n_rows:,} vectors take {say_size(work.size_bytes)}{held}")


def _open(settings: EmbedSettings) -> Work:
    if settings.out.suffix not in (".npz", ".npy"):
        raise ConfigError("vectors are written as .npz or .npy", where="out", got=settings.out)
    if settings.per != "sequence" and settings.pooling != "mean":
        raise ConfigError(f"one vector per {settings.per} is not pooled", where="pooling", got=settings.pooling,
                          hint="leave pooling out, or take per=sequence")
    for file in [settings.out, *([table_beside(settings.out)] if settings.out.suffix == ".npy" else [])]:
        check_new_file(file, settings.force)
    pick_device(settings.device)
    if settings.sequences is not None and settings.genome is None:
        ids, sequences = read_sequences(settings.sequences, settings.sequence_column)
    elif settings.genome is not None and settings.bed is not None and settings.sequences is None:
        genome = Genome.open(settings.genome)
        windows, sequences = read_windows(
            genome, read_places(settings.bed, genome.lengths), settings.width_bp, "windows", allow_n=True
        )
        ids = [str(window) for window in windows]
    else:
        raise ConfigError("there is nothing to embed", hint="give a table or FASTA of sequences, or a genome and a BED")
    start = load_model(settings.model, "body", tokenizer=settings.tokenizer, seed=settings.seed)
    pieces = cut_for_embedding(
        start.model, start.tokenizer, sequences, layer=settings.layer, pooling=settings.pooling,
        too_long=settings.too_long,
    )
    n_rows = {
        "sequence": len(ids), "token": sum(len(one) for one in pieces.ids),
        "base": sum(int(one[-1] - one[0]) for one in pieces.borders),
    }[settings.per]
    return Work(start, ids, pieces, n_rows, count_features(start.model, settings.layer))
