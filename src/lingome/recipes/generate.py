"""Write sequence with a causal language model, and measure what was written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lingome.api.generation import Writer, open_writer, rows_at_a_time, write_sequences
from lingome.config.generate import GenerateSettings
from lingome.core.errors import ConfigError
from lingome.core.files import atomic_file, check_new_file, write_text
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.data.genome import Genome
from lingome.evaluate.language import composition
from lingome.evaluate.leaks.novelty import BYTES_A_BASE, GROUP_BASES, longest_matches
from lingome.generate.recomputed import reading_cost
from lingome.generate.records import fasta_record, record_row
from lingome.models.architecture import CausalModel
from lingome.models.devices import pick_device
from lingome.models.open import Opened, load_model
from lingome.models.presets import build_causal_lm, count_parameters
from lingome.tokens.advice import causal_warning
from lingome.tokens.alphabet import DNA

Comparison = tuple[np.ndarray, list[dict[str, Any]]]


@dataclass(frozen=True)
class Generation:
    """All that a run needs: the model, what writes with it, training data."""

    start: Opened[CausalModel]
    writer: Writer
    genome: Genome | None


def plan(settings: GenerateSettings) -> Plan:
    """Load the model, check prompt and lengths, and say what would be written."""
    opened = _open(settings)
    config = opened.start.model.config
    n_parameters = count_parameters(opened.start.model)
    tokens = settings.n * settings.length_bp / max(1.0, float(opened.start.tokenizer.token_lengths.mean()))
    rows = rows_at_a_time(settings)
    seconds = tokens / rows * (5e-4 + n_parameters * (3e-10 + 6e-11 * rows))  # measured: gpt-mini, 1 and 16 rows
    room = min(config.max_positions, len(opened.writer.prompt) + opened.writer.rules.max_tokens)
    held, slower = reading_cost(opened.start.model, rows, room)
    memory = 0.5e9 + 4 * n_parameters + held
    seconds *= slower
    bases = 0
    if opened.genome is not None:
        bases = sum(opened.genome.lengths.values())
        memory += 4 * bases + BYTES_A_BASE * min(GROUP_BASES, settings.n * settings.length_bp)
    return Plan("generate", [
        ("model", f"{settings.model}: {n_parameters:,} parameters, {opened.start.tokenizer.kind}"),
        ("sequences", f"{settings.n:,} of {settings.length_bp:,} bases, {settings.method}"),
        ("prompt", f"{len(settings.prompt):,} bases, {len(opened.writer.prompt):,} tokens with the first"),
        ("training data", f"{bases:,} bases" if bases else "not given: no novelty, no baselines"),
        ("memory", f"about {memory / 1e9:.1f} GB"),
        ("time", f"about {2 + seconds * (2 if bases else 1) + 1e-7 * bases:.0f} s on one core"),
        ("output", f"{settings.out}, {settings.json_path}"),
    ])


def run(settings: GenerateSettings) -> Outcome:
    """Write the sequences, measure them, and keep how they were made beside them."""
    lineage = Lineage("generate", settings.seed)
    opened = _open(settings)
    made = write_sequences(opened.writer, settings, stream=settings.stream)
    warnings = list(filter(None, [causal_warning(opened.start.tokenizer)]))
    lost = ", ".join(f"{name} {count:,}" for name, count in sorted(made.rejected.items()))
    if made.n_missing:
        warnings.append(f"{made.n_missing:,} of {settings.n:,} sequences are missing: {made.why_missing}")
    for warning in warnings:
        say(f"warning: {warning}")
    new = [kept.sequence for kept in made.kept]
    matches: np.ndarray | None = None
    comparison: list[dict[str, Any]] = []
    if opened.genome is not None and new:
        lineage.add_input("training", opened.genome.path)
        blank = build_causal_lm(opened.start.model.config, opened.start.tokenizer.vocab_size, settings.seed + 1).eval()
        random = write_sequences(opened.writer._replace(model=blank), settings)
        matches, comparison = compare(settings, opened.genome, new, [kept.sequence for kept in random.kept])
    rows = [record_row(kept, opened.start.tokenizer, None if matches is None else int(matches[place]))
            for place, kept in enumerate(made.kept)]
    if opened.start.folder is not None:
        lineage.add_parent(opened.start.lineage)
    with atomic_file(settings.out, force=settings.force) as temporary:
        prompt = settings.prompt.upper()
        records = [fasta_record(row, prompt + letters) for row, letters in zip(rows, new, strict=True)]
        temporary.write_text("".join(records), encoding="ascii")
    write_text(settings.json_path, json.dumps(lineage.as_dict(
        settings=settings.as_dict(), tokenizer_sha256=opened.start.tokenizer.digest,
        model_sha256=opened.start.digest,
        drawn=made.n_drawn, rejected=dict(made.rejected), missing=made.n_missing, warnings=warnings,
        sequences=rows, comparison=comparison,
    ), indent=2) + "\n")
    filters = f"; {made.n_drawn:,} drawn, rejected: {lost}" if lost else ""
    message = f"{len(new):,} sequences: {settings.out}{filters}"
    return Outcome(message, tables=() if settings.stream else _tables(rows, comparison), path=settings.out)


def compare(settings: GenerateSettings, genome: Genome, new: list[str], random: list[str]) -> Comparison:
    """Measure novelty, GC content and k-mers of what was written, beside random weights and composition alone.

    Parameters
    ----------
    settings : GenerateSettings
        Length of k-mers, prompt and seed.
    genome : Genome
        The training data.
    new, random : list of str
        What the model wrote, and what the same model with random weights wrote.
    """
    def pieces() -> Iterator[np.ndarray]:
        return (genome.sequence(chrom) for chrom in genome.lengths)

    lengths = [len(one) for one in new]
    held = list(pieces())
    seed = settings.seed
    markov = composition.fit_markov(held)
    own = "windows of the training data"
    sets = {
        "model": new,
        **({"the same model, random weights": random} if random else {}),
        f"Markov model of order {markov.order}": composition.sample_markov(markov, lengths, seed, settings.prompt),
        "uniform bases": composition.sample_uniform(lengths, seed),
        own: composition.sample_windows(held, lengths, seed),
    }
    spectrum = composition.kmer_spectrum(held, settings.kmer)
    matches = {name: longest_matches(some, pieces) for name, some in sets.items() if name != own}
    return matches["model"], composition.composition_rows(sets, spectrum, settings.kmer, matches, settings.seed)


def _open(settings: GenerateSettings) -> Generation:
    for file in (settings.out, settings.json_path):
        check_new_file(file, settings.force)
    pick_device(settings.device)
    start = load_model(settings.model, "causal_lm", seed=settings.seed)
    tokenizer = start.tokenizer
    if settings.training is not None and tokenizer.alphabet is not DNA:
        raise ConfigError("novelty and baselines are for DNA", where="training", got=tokenizer.alphabet.name)
    writer = open_writer(start.model, tokenizer, settings)
    genome = Genome.open(settings.training) if settings.training is not None else None
    return Generation(start, writer, genome)


def _tables(rows: list[dict[str, Any]], comparison: list[dict[str, Any]]) -> list[Table]:
    titled = (("sequences", rows[:20]), ("beside sequences that know composition alone", comparison))
    return [Table(title, list(some[0]), [list(row.values()) for row in some]) for title, some in titled if some]
