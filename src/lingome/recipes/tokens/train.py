"""``lingome tokens``: train a vocabulary, apply it, look at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lingome.config.tokens.train import ShowSettings, TokensSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.files import atomic_folder, check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.data.readers.compressed import estimate_bases, read_blocks
from lingome.data.readers.fasta import FastaStream
from lingome.explain.vocabulary import VOCABULARY_COLUMNS, check_rows, count_tokens, summarize, vocabulary_table
from lingome.tokens.alphabet import ALPHABETS
from lingome.tokens.bpe import available_cores, train_bpe
from lingome.tokens.bpe.unfinished import UnfinishedTraining
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.cost import measure_training
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer

SHOWN_MERGES = 20
START_SECONDS = 2
BYTES_A_BASE = 1.6


def plan_train(settings: TokensSettings) -> Plan:
    """Check the inputs and say what training would take."""
    _check_replaceable(settings.out, settings.force)
    if settings.resume:
        _unfinished(settings).load()
    rows = [("vocabulary", _describe(settings, settings.merges))]
    bases = 0
    for path in settings.genomes:
        _check_fasta(path)
        about = estimate_bases(path)
        bases += about
        rows.append(("input", f"{path}, about {about / 1e6:,.1f} Mb"))
    if settings.kind == "bpe":
        strands = 2 if settings.both_strands else 1
        cores = settings.threads or available_cores()
        on = "1 core" if cores == 1 else f"{cores} cores"
        cost = measure_training(
            settings.genomes[0], settings.merges, alphabet=ALPHABETS[settings.alphabet],
            both_strands=settings.both_strands, threads=cores,
        )
        seconds = START_SECONDS + bases * cost.seconds_per_base + cost.seconds
        memory = 150e6 + bases * strands * BYTES_A_BASE + (settings.merges + 5) ** 2 * 8
        rows += [
            ("memory", f"about {memory / 1e6:,.0f} MB, and two bytes per base of the longest record"),
            ("time", f"about {seconds:,.0f} s on {on}"),
        ]
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
    records = FastaStream(settings.genomes, settings.chroms, settings.soft_masked, settings.alphabet)
    tokenizer, merges, counts, steps = _learn(settings, records)
    for path, lengths, digest in zip(settings.genomes, records.lengths, records.digests, strict=True):
        lineage.add_input("genome", path)
        if merges:  # words and letters are the same whatever they are counted on
            lineage.add_seen("tokens", digest, [(name, 0, length) for name, length in lengths.items()])
    rows = vocabulary_table(tokenizer, counts, merges)
    facts = {name: round(value, 4) for name, value in summarize(rows).items()}
    if facts.get("used") == 0:
        say("none of these tokens occurs in the input: is it all N, or shorter than a word?")
    with atomic_folder(settings.out, force=settings.force) as folder:
        run = RunDir(folder)
        tokenizer.save(folder)
        run.write_config(settings.as_dict())
        run.write_table("vocabulary", rows, VOCABULARY_COLUMNS)
        if merges:
            run.write_table("merges", merges)
            run.write_table("steps", steps)
        run.write_lineage(lineage.as_dict(
            title=f"vocabulary: {_describe(settings, len(merges))}", tokenizer=tokenizer.settings(),
            tokenizer_digest=tokenizer.digest, summary=facts,
        ))
    _unfinished(settings).remove()
    tables = [Table("vocabulary", ("measure", "value"), list(facts.items()))]
    if merges:
        columns = tuple(merges[0])
        shown = [tuple(row.values()) for row in merges[:SHOWN_MERGES]]
        tables.insert(0, Table(f"first merges of {len(merges)}", columns, shown))
    return Outcome(f"vocabulary of {tokenizer.vocab_size} tokens written to {settings.out}", tables, path=settings.out)


def _learn(
    settings: TokensSettings, records: FastaStream
) -> tuple[Tokenizer, list[dict[str, Any]], np.ndarray | None, list[dict[str, Any]]]:
    """Give the vocabulary, its merges, the count of each token, and how long each step took."""
    if settings.kind != "bpe":
        tokenizer: Tokenizer = CharacterTokenizer(ALPHABETS[settings.alphabet])
        if settings.kind == "kmers":
            tokenizer = KmerTokenizer(settings.k, settings.overlap, settings.layout)
        ids = (tokenizer.encode_flat(letters, np.array([0, len(letters)]))[0] for letters in records)
        return tokenizer, [], count_tokens(ids, tokenizer.vocab_size) if settings.genomes else None, []
    unfinished = _unfinished(settings)
    known, digests = unfinished.load() if settings.resume else ([], [])
    if unfinished.file.is_file() and not settings.resume:
        say(f"{unfinished.folder} holds an unfinished training, which this one replaces (--resume would continue it)")
    if len(known) > settings.merges:
        raise ConfigError("the unfinished training has more merges already", where="merges", got=settings.merges,
                          expected=f"at least {len(known)}")

    def sequences() -> Iterator[np.ndarray]:
        yield from records
        if settings.resume and records.digests != digests:
            raise DataError(
                "the input is not the one that the unfinished training read",
                where=", ".join(map(str, settings.genomes)), hint="start again without --resume",
            )

    try:
        training = train_bpe(
            sequences(), settings.merges, both_strands=settings.both_strands, alphabet=ALPHABETS[settings.alphabet],
            threads=settings.threads, known=known, save=lambda merges: unfinished.save(merges, records.digests),
        )
    except DataError as error:
        if error.where is not None:
            raise
        hint = "leave out soft_masked=n, which makes lower case N" if settings.soft_masked == "n" else error.hint
        raise DataError(error.what, where=", ".join(map(str, settings.genomes)), got=error.got, hint=hint) from error
    except KeyboardInterrupt:
        if unfinished.file.is_file():
            say(f"the merges so far are in {unfinished.folder}: the same command with --resume continues")
        raise
    steps = [{"step": step, "time_s": round(time_s, 3), "note": ""} for step, time_s in training.seconds.items()]
    return training.tokenizer, training.merges, training.counts, steps


def _unfinished(settings: TokensSettings) -> UnfinishedTraining:
    facts = settings.model_dump(mode="json", include={"chroms", "soft_masked", "both_strands", "alphabet"})
    return UnfinishedTraining(settings.out, facts)


def _check_fasta(path: Path) -> None:
    if next(read_blocks(path), b"").lstrip()[:1] != b">":
        raise DataError("there is no header at its beginning", where=path, expected="a FASTA: >name, then letters")


def _check_replaceable(path: Path, force: bool) -> None:
    """Refuse an output that exists, and, even when forced, one that lingome did not write."""
    check_absent(path, force)
    if path.exists() and not (path / "run.json").is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise DataError("this is not a vocabulary, and will not be replaced", where=path, hint="choose another -o")


def _describe(settings: TokensSettings, merges: int) -> str:
    if settings.kind == "bpe":
        letters = " of protein" if settings.alphabet == "protein" else ""
        return f"byte pairs{letters}, {merges} merges" + (", both strands" if settings.both_strands else "")
    if settings.kind == "kmers":
        return f"{settings.k}-mers, {'overlapping' if settings.overlap else 'side by side'} ({settings.layout})"
    return "single residues" if settings.alphabet == "protein" else "single bases"


def show(settings: ShowSettings) -> Outcome:
    """Give the table of a vocabulary; with counts when it was trained by lingome."""
    tokenizer = load_tokenizer(settings.tokenizer)
    run = RunDir(settings.tokenizer)
    rows = vocabulary_table(tokenizer)
    if run.has_table("vocabulary"):
        tokens, rows = [row["token"] for row in rows], run.read_table("vocabulary")
        check_rows(rows, tokens, settings.tokenizer / "tables" / "vocabulary.tsv")
    cells = [tuple(row.get(column) for column in VOCABULARY_COLUMNS) for row in rows[: settings.rows]]
    message = f"{tokenizer.kind}, {tokenizer.vocab_size} tokens, digest {tokenizer.digest[:12]}"
    return Outcome(message, [Table("vocabulary", VOCABULARY_COLUMNS, cells)])
