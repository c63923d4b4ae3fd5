"""``lingome tokens``: train a vocabulary, apply it, look at it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lingome.config.tokens import EncodeSettings, ShowSettings, TokensSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import atomic_file, atomic_folder, check_absent, check_new_file
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.names import unknown_chromosome
from lingome.data.tables import read_sequences
from lingome.explain.vocabulary import VOCABULARY_COLUMNS, count_tokens, summarize, vocabulary_table
from lingome.tokens.bpe import train_bpe
from lingome.tokens.load import build_tokenizer, load_tokenizer
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import encode_genome

SHOWN_MERGES = 20
SECONDS_A_MEGABASE = 0.05  # at 600 merges, measured on one core of a Zen 4
GZIP_RATIO = 4


def plan_train(settings: TokensSettings) -> Plan:
    """Check the inputs and say what training would take."""
    _check_replaceable(settings.out, settings.force)
    rows = [("vocabulary", _describe(settings))]
    bases = 0
    for path in settings.genomes:
        _check_exists(path)
        about = path.stat().st_size * (1 if path.suffix in (".fa", ".fasta", ".fna") else GZIP_RATIO)
        bases += about
        rows.append(("input", f"{path}, about {about / 1e6:,.1f} Mb"))
    if settings.kind == "bpe":
        strands = 2 if settings.both_strands else 1
        seconds = 2 + bases / 1e6 * strands * SECONDS_A_MEGABASE * (settings.merges / 600) ** 0.7
        memory = 150e6 + bases * (1 + strands) + (settings.merges + 5) ** 2 * 8
        rows += [("memory", f"about {memory / 1e6:,.0f} MB"), ("time", f"about {seconds:,.0f} s on one core")]
    rows.append(("output", str(settings.out)))
    return Plan("tokens train", rows)


def run_train(settings: TokensSettings) -> Outcome:
    """Train a vocabulary, count its tokens on the same sequence, and write the folder.

    Raises
    ------
    DataError
        If an input cannot be read, holds nothing to learn from, or the output cannot be written.
    """
    _check_replaceable(settings.out, settings.force)
    lineage = Lineage("tokens", 0)
    genomes = [Genome.open(path, soft_masked=settings.soft_masked) for path in settings.genomes]
    parts = [(genome, _chosen(genome, settings.chroms)) for genome in genomes]
    _check_chroms(settings.chroms, genomes)
    for path, (genome, intervals) in zip(settings.genomes, parts, strict=True):
        lineage.add_input("genome", path)
        lineage.add_seen("tokens", genome.digest, [(i.chrom, i.start, i.end) for i in intervals])
    tokenizer, merges = _make(settings, parts)
    used = [(genome, intervals) for genome, intervals in parts if intervals]
    encoded = [encode_genome(genome, tokenizer, intervals) for genome, intervals in used]
    counts = count_tokens((part.ids for part in encoded), tokenizer.vocab_size) if encoded else None
    rows = vocabulary_table(tokenizer, counts, merges)
    facts = {name: round(value, 4) for name, value in summarize(rows).items()}
    with atomic_folder(settings.out, force=settings.force) as folder:
        run = RunDir(folder)
        tokenizer.save(folder)
        run.write_config(settings.as_dict())
        run.write_table("vocabulary", rows, VOCABULARY_COLUMNS)
        if merges:
            run.write_table("merges", merges)
        run.write_lineage(lineage.as_dict(
            title=f"vocabulary: {_describe(settings)}", tokenizer=tokenizer.settings(),
            tokenizer_digest=tokenizer.digest, summary=facts,
        ))
    tables = [Table("vocabulary", ("measure", "value"), list(facts.items()))]
    if merges:
        columns = tuple(merges[0])
        shown = [tuple(row.values()) for row in merges[:SHOWN_MERGES]]
        tables.insert(0, Table(f"first merges of {len(merges)}", columns, shown))
    return Outcome(f"vocabulary of {tokenizer.vocab_size} tokens written to {settings.out}", tables, path=settings.out)


def _make(
    settings: TokensSettings, parts: Sequence[tuple[Genome, Sequence[Interval]]]
) -> tuple[Tokenizer, list[dict[str, Any]]]:
    if settings.kind != "bpe":
        return build_tokenizer(settings.kind, k=settings.k, overlap=settings.overlap, layout=settings.layout), []
    sequences = [genome.sequence(i.chrom, i.start, i.end) for genome, intervals in parts for i in intervals]
    say(f"learning {settings.merges} merges from {sum(map(len, sequences)):,} bases")
    training = train_bpe(sequences, settings.merges, both_strands=settings.both_strands)
    return training.tokenizer, training.merges


def _chosen(genome: Genome, chroms: Sequence[str]) -> list[Interval]:
    return [Interval(c, 0, n) for c, n in genome.lengths.items() if not chroms or c in chroms]


def _check_chroms(chroms: Sequence[str], genomes: Sequence[Genome]) -> None:
    known = {chrom: length for genome in genomes for chrom, length in genome.lengths.items()}
    for chrom in chroms:
        if chrom not in known:
            raise unknown_chromosome(chrom, known, where=", ".join(str(genome.path) for genome in genomes))


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise DataError("there is no such file", where=path)


def _check_replaceable(path: Path, force: bool) -> None:
    """Refuse an output that exists, and, even when forced, one that lingome did not write."""
    check_absent(path, force)
    if path.exists() and not (path / "run.json").is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise DataError("this is not a vocabulary, and will not be replaced", where=path, hint="choose another -o")


def _describe(settings: TokensSettings) -> str:
    if settings.kind == "bpe":
        return f"byte pairs, {settings.merges} merges" + (", both strands" if settings.both_strands else "")
    if settings.kind == "kmers":
        return f"{settings.k}-mers, {'overlapping' if settings.overlap else 'side by side'} ({settings.layout})"
    return "single bases"


def plan_encode(settings: EncodeSettings) -> Plan:
    """Check the tokenizer and the input."""
    tokenizer = load_tokenizer(settings.tokenizer)
    _check_exists(settings.input)
    _check_npz(settings)
    rows = [("tokenizer", f"{settings.tokenizer}: {tokenizer.kind}, {tokenizer.vocab_size} tokens")]
    rows += [("input", str(settings.input)), ("output", str(settings.out or "standard output"))]
    return Plan("tokens encode", rows)


def _check_npz(settings: EncodeSettings) -> None:
    if settings.out is not None:
        if settings.out.suffix != ".npz":
            raise ConfigError("encoded sequences are written as .npz", where="out", got=settings.out)
        check_new_file(settings.out, settings.force)


def run_encode(settings: EncodeSettings) -> Outcome:
    """Encode sequences to an .npz, or to standard output as ``id<TAB>tokens``.

    The .npz holds ``names`` (R), ``input_ids`` (n), ``token_starts`` (n: first base of each token
    in its own sequence, 0-based), ``cuts`` (R + 1: tokens of sequence r are
    ``input_ids[cuts[r]:cuts[r + 1]]``), ``lengths_bp`` (R) and ``tokenizer_digest``.
    """
    tokenizer = load_tokenizer(settings.tokenizer)
    _check_npz(settings)
    names, sequences = read_sequences(settings.input, settings.sequence_column)
    encodings = tokenizer.encode_batch(sequences)
    n_tokens = sum(len(encoding.input_ids) for encoding in encodings)
    unknown = sum(int((encoding.input_ids == tokenizer.unk_id).sum()) for encoding in encodings)
    message = f"{len(names)} sequences, {sum(map(len, sequences)):,} bases, {n_tokens:,} tokens, {unknown:,} unknown"
    if settings.out is None:
        lines = (
            f"{name}\t{' '.join(tokenizer.vocab[i] for i in encoding.input_ids.tolist())}\n"
            for name, encoding in zip(names, encodings, strict=True)
        )
        return Outcome(message, text="".join(lines))
    with atomic_file(settings.out, force=settings.force) as temporary, temporary.open("wb") as handle:
        np.savez(
            handle,
            names=np.array(names, dtype=np.str_),
            input_ids=np.concatenate([encoding.input_ids for encoding in encodings]),
            token_starts=np.concatenate([encoding.offsets[:-1] for encoding in encodings]),
            cuts=np.cumsum([0, *(len(encoding.input_ids) for encoding in encodings)]),
            lengths_bp=np.array([len(sequence) for sequence in sequences], dtype=np.int64),
            tokenizer_digest=np.array(tokenizer.digest),
        )
    return Outcome(f"{message}; written to {settings.out}", path=settings.out)


def show(settings: ShowSettings) -> Outcome:
    """Give the table of a vocabulary; with counts when it was trained by lingome."""
    tokenizer = load_tokenizer(settings.tokenizer)
    run = RunDir(settings.tokenizer)
    rows = run.read_table("vocabulary") or vocabulary_table(tokenizer)
    cells = [tuple(row.get(column) for column in VOCABULARY_COLUMNS) for row in rows[: settings.rows]]
    message = f"{tokenizer.kind}, {tokenizer.vocab_size} tokens, digest {tokenizer.digest[:12]}"
    return Outcome(message, [Table("vocabulary", VOCABULARY_COLUMNS, cells)])
