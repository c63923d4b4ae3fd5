"""Apply a vocabulary: sequences to a file or to text, a genome to a token store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lingome.config.tokens.encode import EncodeSettings
from lingome.core.errors import DataError
from lingome.core.files import atomic_file, atomic_folder, check_absent, check_new_file
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.rundir import RunDir
from lingome.data.readers.compressed import estimate_bases, is_folder, read_blocks, sniff
from lingome.data.readers.fasta import FastaStream
from lingome.data.readers.tables import read_sequences
from lingome.data.sequence import as_text
from lingome.tokens.alphabet import DNA
from lingome.tokens.cost import measure_encoding
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import fill_store, is_store
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import check_alphabet

START_SECONDS = 2
BYTES_A_BASE = 8  # of the longest record: letters, ids and what the encoder works on


def plan(settings: EncodeSettings) -> Plan:
    """Check the tokenizer and the input, and say how many tokens there would be, how much disk and time they take."""
    tokenizer = _check(settings)
    rows = [("tokenizer", f"{settings.tokenizer}: {tokenizer.kind}, {tokenizer.vocab_size} tokens")]
    rows.append(("input", str(settings.input)))
    if _is_fasta(settings.input):
        cost = measure_encoding(settings.input, tokenizer)
        bases = estimate_bases(settings.input)
        n_tokens = bases / cost.bases_per_token
        size = n_tokens * np.dtype(tokenizer.ids_dtype).itemsize
        judged = f"{cost.bases_per_token:.2f} letters per token, judged by the first of them"
        rows += [
            ("sequence", f"about {bases / 1e6:,.1f} Mb"),
            ("tokens", f"about {n_tokens:,.0f} ({judged})"),
        ]
        if settings.is_store:
            rows.append(("disk", f"about {size / 1e6:,.1f} MB"))
        rows += [
            ("memory", f"about 0.2 GB, and {BYTES_A_BASE} bytes for each base of the longest sequence"),
            ("time", f"about {START_SECONDS + bases * cost.seconds_per_base:,.0f} s on one core"),
        ]
    rows.append(("output", str(settings.out or "standard output")))
    return Plan("tokens encode", rows)


def run(settings: EncodeSettings) -> Outcome:
    """Encode to a store, to an .npz, or to standard output as ``id<TAB>tokens``.

    The .npz holds ``names`` (R), ``input_ids`` (n), ``token_starts`` (n: first base of each token
    in its own sequence, 0-based), ``cuts`` (R + 1: tokens of sequence r are
    ``input_ids[cuts[r]:cuts[r + 1]]``), ``lengths_bp`` (R) and ``tokenizer_digest``.

    Raises
    ------
    DataError
        If an input cannot be read or does not fit the tokenizer, or the output cannot be written.
    """
    tokenizer = _check(settings)
    if settings.out is not None and settings.is_store:
        return _run_store(settings, settings.out, tokenizer)
    names, sequences = _read(settings, tokenizer)
    encodings = tokenizer.encode_batch(sequences)
    n_tokens = sum(len(encoding.input_ids) for encoding in encodings)
    unknown = sum(int((encoding.input_ids == tokenizer.unk_id).sum()) for encoding in encodings)
    message = f"{len(names)} sequences, {sum(map(len, sequences)):,} letters, {n_tokens:,} tokens, {unknown:,} unknown"
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


def _run_store(settings: EncodeSettings, out: Path, tokenizer: Tokenizer) -> Outcome:
    """Write a token store with the lineage of its tokenizer; encoding itself learns nothing."""
    lineage = Lineage("tokens encode", 0)
    lineage.add_input("genome", settings.input)
    lineage.add_tokenizer(settings.tokenizer)
    with atomic_folder(out, force=settings.force) as folder:
        totals = fill_store(
            folder, tokenizer, settings.input, soft_masked=settings.soft_masked, chroms=settings.chroms
        )
        store = RunDir(folder)
        store.write_config(settings.as_dict())
        store.write_lineage(lineage.as_dict(
            title=f"tokens of {settings.input.name}", genome_digest=totals.genome_digest,
            tokenizer=tokenizer.settings(), tokenizer_digest=tokenizer.digest,
        ))
    rows = [
        ("sequences", totals.records), ("bases", totals.length_bp), ("bases with a token", totals.bases),
        ("tokens", totals.tokens), ("bases per token", totals.bases / totals.tokens),
        ("stretches without N", totals.segments), ("bytes on disk", totals.size_bytes),
        ("bytes per base", totals.size_bytes / totals.bases),
    ]
    return Outcome(
        f"{totals.tokens:,} tokens of {totals.bases:,} bases written to {out}",
        [Table("token store", ("measure", "value"), rows)], path=out,
    )


def _check(settings: EncodeSettings) -> Tokenizer:
    """Refuse, before any work, what cannot be read or written."""
    tokenizer = load_tokenizer(settings.tokenizer)
    if is_store(settings.input):
        raise DataError("this is a token store: what it holds is encoded already", where=settings.input,
                        expected="a FASTA", hint="lingome pretrain reads a store as it is")
    if settings.out is None:
        return tokenizer
    if not settings.is_store:
        check_new_file(settings.out, settings.force)
        return tokenizer
    check_absent(settings.out, settings.force)
    if settings.out.exists() and not is_store(settings.out) and not (is_folder(settings.out) and _empty(settings.out)):
        raise DataError("this is not a token store, and will not be replaced", where=settings.out,
                        hint="choose another -o")
    check_alphabet(tokenizer)
    sniff(settings.input)
    if not _is_fasta(settings.input):
        raise DataError("a token store is written of a FASTA", where=settings.input, got="no '>' at its beginning",
                        hint="for a table of sequences give -o FILE.npz")
    return tokenizer


def _empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def _is_fasta(path: Path) -> bool:
    return not is_folder(path) and next(read_blocks(path), b"").lstrip()[:1] == b">"


def _read(settings: EncodeSettings, tokenizer: Tokenizer) -> tuple[list[str], list[str]]:
    """Read names and sequences, in the tokenizer's own letters."""
    if tokenizer.alphabet is DNA:
        return read_sequences(settings.input, settings.sequence_column)
    if not _is_fasta(settings.input):
        raise DataError("proteins are read from a FASTA", where=settings.input, got="no '>' at its beginning")
    records = FastaStream([settings.input], written="protein")
    sequences = [as_text(letters) for letters in records]
    return list(records.lengths[0]), sequences
