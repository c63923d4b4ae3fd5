"""Turn sequences into vectors, and keep them with how they were made."""

from __future__ import annotations

import numpy as np

from lingome.config.embed import EmbedSettings
from lingome.core.errors import ConfigError
from lingome.core.files import atomic_file, check_new_file
from lingome.core.outcome import Outcome, Plan
from lingome.core.progress import say
from lingome.data.genome import Genome
from lingome.data.tables import read_sequences
from lingome.embed.encode import Pieces, cut_to_fit, embed_pieces
from lingome.genome.regions import read_windows
from lingome.genome.task import read_places
from lingome.models.devices import pick_device
from lingome.models.presets import count_parameters
from lingome.tune.start import Start, load_start


def plan(settings: EmbedSettings) -> Plan:
    """Load the model, read and encode the inputs, and say what would be embedded."""
    start, ids, pieces = _open(settings)
    n_tokens, n_parameters = sum(len(one) for one in pieces.ids), count_parameters(start.body)
    return Plan("embed", [
        ("model", f"{start.name}: {n_parameters:,} parameters"),
        ("sequences", f"{len(ids):,}, {n_tokens:,} tokens; {pieces.n_long:,} longer than the context"),
        ("vectors", f"{len(ids):,} x {start.body.config.hidden_size}, layer {settings.layer}, {settings.pooling}"),
        ("memory", f"about {0.5 + 4 * n_parameters / 1e9 + settings.batch_tokens * 1e-5:.1f} GB"),
        ("time", f"about {1 + 2 * n_parameters * n_tokens / 5e10:.0f} s on two cores"),
        ("output", str(settings.out)),
    ])


def run(settings: EmbedSettings) -> Outcome:
    """Embed everything, and write one NumPy archive.

    It holds ``ids`` (text), ``embeddings`` (float32), and how they were made: ``model``,
    ``model_sha256``, ``tokenizer_sha256``, ``layer``, ``pooling``, ``too_long``, ``n_long``,
    ``n_unknown``.
    """
    start, ids, pieces = _open(settings)
    if pieces.n_long:
        done = "cut at the end" if settings.too_long == "truncate" else "averaged over windows"
        say(f"warning: {pieces.n_long:,} of {len(ids):,} sequences are longer than the context and were {done}")
    if pieces.n_unknown:
        say(f"warning: {pieces.n_unknown:,} letters are not in the vocabulary (N and the like), and were read as [UNK]")
    vectors = embed_pieces(
        start.body, start.tokenizer, pieces, len(ids), layer=settings.layer, pooling=settings.pooling,
        batch_tokens=settings.batch_tokens, device=settings.device,
    )
    with atomic_file(settings.out, force=settings.force) as temporary, temporary.open("wb") as handle:
        np.savez(
            handle, ids=np.array(ids, dtype=np.str_), embeddings=vectors, model=start.name, model_sha256=start.digest,
            tokenizer_sha256=start.tokenizer.digest, layer=settings.layer, pooling=settings.pooling,
            too_long=settings.too_long, n_long=pieces.n_long, n_unknown=pieces.n_unknown,
        )
    return Outcome(f"{len(ids):,} vectors of {vectors.shape[1]} numbers: {settings.out}", path=settings.out)


def _open(settings: EmbedSettings) -> tuple[Start, list[str], Pieces]:
    if settings.out.suffix != ".npz":
        raise ConfigError("vectors are written as .npz", where="out", got=settings.out)
    check_new_file(settings.out, settings.force)
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
    start = load_start(settings.model, tokenizer=settings.tokenizer, seed=settings.seed)
    return start, ids, cut_to_fit(start.tokenizer, sequences, start.body.config.max_positions, settings.too_long)
