"""Write a token store, one record of the genome in memory at a time.

Nothing is written through a map, because a disk that fills up under a map kills the process; a write
that fails is reported as an error. See `lingome.tokens.store.layout` for the files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lingome.core.errors import DataError
from lingome.core.files import write_text
from lingome.core.progress import track
from lingome.data.readers.compressed import sniff
from lingome.data.readers.fasta import FastaStream
from lingome.tokens.store.layout import ANCHORS, FORMAT, MANIFEST, SEGMENTS, VERSION, manifest_digest, raw_bytes
from lingome.tokens.store.token_store import Record, token_starts
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import check_alphabet, true_runs

SHARD_TOKENS = 1 << 27
ANCHOR_TOKENS = 4096
CHUNK_TOKENS = 1 << 20


@dataclass(frozen=True)
class StoreTotals:
    """What a store holds.

    Parameters
    ----------
    records, length_bp : int
        Sequences and their bases, N included.
    bases, tokens, segments : int
        Bases that have a token, tokens, stretches between unknown letters.
    size_bytes : int
        Size of the arrays on disk.
    genome_digest : str
        As `Genome.digest`, over all records of the FASTA.
    """

    records: int
    length_bp: int
    bases: int
    tokens: int
    segments: int
    size_bytes: int
    genome_digest: str


def fill_store(
    folder: Path, tokenizer: Tokenizer, fasta: Path, *, soft_masked: str = "upper", chroms: Sequence[str] = (),
    shard_tokens: int = SHARD_TOKENS, anchor_tokens: int = ANCHOR_TOKENS,
) -> StoreTotals:
    """Encode a genome into a folder, one record in memory at a time; the manifest comes last.

    Parameters
    ----------
    folder : Path
        An empty folder; see `lingome.core.files.atomic_folder` for one that appears whole or not at all.
    tokenizer : Tokenizer
        A vocabulary of DNA.
    fasta : Path
        The genome, plain or gzip.
    soft_masked : {"upper", "n"}
        Read lower case as upper case, or as N.
    chroms : sequence of str
        Only these records; all when empty.
    shard_tokens : int
        A file takes no further record once it has this many tokens.
    anchor_tokens : int
        Tokens between two known positions: more take less space and longer to find.

    Raises
    ------
    DataError
        If the FASTA cannot be read, has no known sequence or lacks one of `chroms`, the tokenizer reads no DNA, or
        the disk is full.
    """
    check_alphabet(tokenizer)
    sniff(fasta)
    stat = fasta.stat()
    records = FastaStream([fasta], chroms, soft_masked)
    with (
        closing(_Writer(folder, tokenizer, shard_tokens, anchor_tokens)) as writer,
        track(f"encoding {fasta.name}", unit="bases") as task,
    ):
        for bases in records:
            chrom = next(reversed(records.lengths[0]))
            writer.add(chrom, bases)
            task.advance(len(bases), chrom)
            del bases  # before the next record is read
        if not writer.n_tokens:
            raise DataError("there is no known sequence to encode", where=fasta)
        files = writer.finish()
    tokenizer.save(folder)
    totals = StoreTotals(
        len(writer.records), sum(record.length_bp for record in writer.records), writer.bases, writer.n_tokens,
        writer.n_segments, sum(values["size_bytes"] for values in files.values()),
        records.digests[0],
    )
    manifest = {
        "format": FORMAT, "version": VERSION,
        "tokenizer": {"kind": tokenizer.kind, "digest": tokenizer.digest, "vocab_size": tokenizer.vocab_size},
        "genome": {
            "digest": totals.genome_digest, "file": fasta.name, "path": str(fasta.absolute()),
            "size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns,
        },
        "n_policy": {"soft_masked": soft_masked, "unknown": "left out"},
        "anchor_tokens": anchor_tokens,
        "totals": {name: value for name, value in asdict(totals).items() if name != "genome_digest"},
        "shards": [name for name in files if name not in (SEGMENTS, ANCHORS)],
        "files": files,
        "record_columns": ["chrom", "length_bp", "shard", "first_token", "n_tokens"],
    }
    rows = [list(asdict(record).values()) for record in writer.records]
    manifest["sha256"] = manifest_digest({**manifest, "records": rows})
    lines = ",\n  ".join(map(json.dumps, rows))
    text = json.dumps(manifest, indent=1).removesuffix("\n}")
    write_text(folder / MANIFEST, f'{text},\n "records": [\n  {lines}\n ]\n}}\n')
    return totals


class _Writer:
    """Take records one after the other, and write their tokens, segments and anchors."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, shard_tokens: int, anchor_tokens: int) -> None:
        self.folder = folder
        self.tokenizer = tokenizer
        self.shard_tokens = shard_tokens
        self.anchor_tokens = anchor_tokens
        self.records: list[Record] = []
        self.n_tokens = self.n_segments = self.bases = 0
        self._segments = [np.empty((5, 0), dtype=np.int64)]
        self._anchors = [np.empty(0, dtype=np.int64)]
        self._files: dict[str, dict[str, Any]] = {}
        self._file: _ArrayFile | None = None

    def add(self, chrom: str, bases: np.ndarray) -> None:
        """Encode a record and write it."""
        found, _ = self.tokenizer.encode_flat(bases, np.array([0, len(bases)], dtype=np.int64))
        known = found != self.tokenizer.unk_id
        runs = true_runs(known)
        lengths = runs[:, 1] - runs[:, 0]
        lasts = self.n_tokens + np.cumsum(lengths)
        n_kept = int(lengths.sum())
        step = self.anchor_tokens
        anchors = step * np.arange(-(-self.n_tokens // step), -(-(self.n_tokens + n_kept) // step))
        run_of = np.searchsorted(lasts, anchors, side="right")
        # Where the runs begin and end among all tokens, and where the anchors stand there.
        asked = np.concatenate([runs[:, 0], runs[:, 1] - 1, runs[run_of, 1] - (lasts[run_of] - anchors)])
        begins = _begins(self.tokenizer, found, asked)
        starts, final, at_anchors = np.split(begins, [len(runs), 2 * len(runs)])
        ends = final + self.tokenizer.token_lengths[found[runs[:, 1] - 1]]
        number = np.full(len(runs), len(self.records))
        self._segments.append(np.stack([number, lasts - lengths, lasts, starts, ends]))
        self._anchors.append(at_anchors)
        self._shard().write(found if n_kept == len(found) else found[known])
        self.records.append(Record(chrom, len(bases), len(self._files), self.n_tokens, n_kept))
        self.n_tokens += n_kept
        self.n_segments += len(runs)
        self.bases += int((ends - starts).sum())

    def _shard(self) -> _ArrayFile:
        """Give the shard that takes the next record."""
        if self._file is not None and self._file.length >= self.shard_tokens:
            self._close_file()
        if self._file is None:
            file = self.folder / f"tokens-{len(self._files):05d}.npy"
            self._file = _ArrayFile(file, np.dtype(self.tokenizer.ids_dtype))
        return self._file

    def _close_file(self) -> None:
        if self._file is not None:
            self._files[self._file.path.name] = self._file.finish()
            self._file = None

    def finish(self) -> dict[str, dict[str, Any]]:
        """Close the shards, write the two tables, and describe all files by name."""
        self._close_file()
        tables = ((SEGMENTS, np.concatenate(self._segments, axis=1)), (ANCHORS, np.concatenate(self._anchors)))
        for name, table in tables:
            self._file = _ArrayFile(self.folder / name, table.dtype, table.shape)
            self._file.write(table)
            self._close_file()
        return self._files

    def close(self) -> None:
        """Let go of files that were not finished."""
        if self._file is not None:
            self._file.abandon()


class _ArrayFile:
    """Write an ``.npy`` file piece by piece; its header is put right at the end."""

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...] | None = None) -> None:
        self.path = path
        self.dtype = dtype
        self.shape = shape
        self.length = 0
        self._digest = hashlib.sha256()
        self._handle = path.open("wb")
        self._write_header(shape or (0,))

    def _write_header(self, shape: tuple[int, ...]) -> None:
        values = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._handle, values)

    def write(self, array: np.ndarray) -> None:
        """Append the numbers of an array of the file's type."""
        assert array.dtype == self.dtype, "a file holds numbers of one type"
        raw = raw_bytes(array)
        self._handle.write(raw)
        self._digest.update(raw)
        self.length += array.size

    def abandon(self) -> None:
        """Close the file as it is; an error of writing was raised before."""
        with suppress(OSError):
            self._handle.close()

    def finish(self) -> dict[str, Any]:
        """Write the shape, wait until the disk has everything, and describe the file."""
        shape = self.shape or (self.length,)
        begin = self._handle.tell() - self.length * self.dtype.itemsize
        self._handle.seek(0)
        self._write_header(shape)
        assert self._handle.tell() == begin, "numpy leaves room in the header for a longer shape"
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._handle.close()
        return {
            "dtype": self.dtype.name, "shape": list(shape), "size_bytes": self.path.stat().st_size,
            "sha256": self._digest.hexdigest(),
        }


def _begins(tokenizer: Tokenizer, ids: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Give the bases at which some tokens of a sequence begin, with a look at a million tokens at a time."""
    order = np.argsort(asked, kind="stable")
    cuts = np.searchsorted(asked[order], np.arange(0, len(ids), CHUNK_TOKENS))
    found = np.empty(len(asked), dtype=np.int64)
    base = 0
    for first, rows in zip(range(0, len(ids), CHUNK_TOKENS), np.split(order, cuts[1:]), strict=True):
        starts = base + token_starts(tokenizer, ids[first : first + CHUNK_TOKENS + 1])  # with the next chunk's first
        found[rows] = starts[asked[rows] - first]
        base = int(starts[-1])
    return found
