"""Open a token store: its arrays as maps of their files, checked against the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lingome.core.errors import CheckpointError, DataError
from lingome.core.progress import say, track
from lingome.data.readers.fasta import FastaStream
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store.layout import ANCHORS, FORMAT, MANIFEST, SEGMENTS, VERSION, manifest_digest, raw_bytes
from lingome.tokens.store.token_store import LAST, WRITE_AGAIN, TokenStore, check_digest
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import check_alphabet


def is_store(path: Path) -> bool:
    """Say whether there is a token store at a path."""
    return (path / MANIFEST).is_file()


def open_store(path: Path, *, verify: bool = False) -> TokenStore:
    """Open a token store; nothing but its manifest is read into memory.

    When the FASTA it was made from is still where it was, but with another size or time of change, its
    sequence is read again and compared.

    Parameters
    ----------
    verify : bool
        Read all tokens through once, to be sure that no byte changed.

    Raises
    ------
    DataError
        If there is no store, or the genome changed since.
    CheckpointError
        If a file is missing, cut short or damaged, or the store is of another version.
    """
    manifest = _read_manifest(path)
    try:
        arrays = {name: _open_array(path, name, manifest) for name in (*manifest["shards"], SEGMENTS, ANCHORS)}
        checked = arrays if verify else (SEGMENTS, ANCHORS)
        with track("checking the store", total=sum(arrays[name].nbytes for name in checked), unit="bytes") as task:
            for name in checked:
                if hashlib.sha256(raw_bytes(arrays[name])).hexdigest() != manifest["files"][name]["sha256"]:
                    raise CheckpointError("the file is damaged: its content changed since it was written",
                                          where=path / name, hint=WRITE_AGAIN)
                task.advance(arrays[name].nbytes, name)
        store = TokenStore(
            path, _load_tokenizer(path, manifest), manifest, [arrays[name] for name in manifest["shards"]],
            arrays[SEGMENTS], arrays[ANCHORS],
        )
        n_tokens = sum(record.n_tokens for record in store.records)
        if not n_tokens == len(store.ids) == int(arrays[SEGMENTS][LAST, -1]):
            raise ValueError(f"records of {n_tokens} tokens, files of {len(store.ids)}")
        _check_source(path, manifest["genome"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError("the manifest does not fit the store", where=path / MANIFEST, got=repr(error),
                              hint=WRITE_AGAIN) from error
    return store


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    if not file.is_file():
        raise DataError(
            "there is no token store here", where=path, expected=f"a folder with {MANIFEST}",
            hint="write one: lingome tokens encode TOKENIZER GENOME -o STORE",
        )
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("cannot be read as JSON", where=file, got=error, hint=WRITE_AGAIN) from error
    found = (manifest.get("format"), manifest.get("version")) if isinstance(manifest, dict) else (None, None)
    if found != (FORMAT, VERSION):
        raise CheckpointError(
            "the store is of another format or version", where=file, got=f"{found[0]}, version {found[1]}",
            expected=f"{FORMAT}, version {VERSION}", hint=WRITE_AGAIN,
        )
    if manifest.get("sha256") != manifest_digest(manifest):
        raise CheckpointError("the manifest does not fit the store", where=file, hint=WRITE_AGAIN,
                              got="its content changed since it was written")
    return dict(manifest)


def _open_array(path: Path, name: str, manifest: Mapping[str, Any]) -> np.ndarray:
    """Open an array as a map of its file, and compare its type and shape with the manifest."""
    said = manifest["files"][name]
    if not (path / name).is_file():
        raise CheckpointError("a file of the store is missing", where=path / name, hint=WRITE_AGAIN)
    try:
        array: np.ndarray = np.load(path / name, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise CheckpointError(
            "the file is cut short or damaged", where=path / name, got=error, hint=WRITE_AGAIN
        ) from error
    got = (array.dtype.name, list(array.shape), (path / name).stat().st_size)
    expected = (said["dtype"], said["shape"], said["size_bytes"])
    if got != expected:
        raise CheckpointError(
            "the file is not the one that was written", where=path / name, got=got, expected=expected,
            hint=WRITE_AGAIN,
        )
    return array


def _load_tokenizer(path: Path, manifest: Mapping[str, Any]) -> Tokenizer:
    tokenizer = load_tokenizer(path)
    expected = str(manifest["tokenizer"]["digest"])
    if tokenizer.digest != expected:
        raise CheckpointError(
            "the tokenizer in the store is not the one that made it", where=path,
            got=f"digest {tokenizer.digest[:12]}", expected=f"digest {expected[:12]}", hint=WRITE_AGAIN,
        )
    check_alphabet(tokenizer)
    return tokenizer


def _check_source(path: Path, said: Mapping[str, Any]) -> None:
    source = Path(said["path"])
    try:
        stat = source.stat()
    except OSError:
        return  # moved, or not mounted here: the store stands for itself
    if (stat.st_size, stat.st_mtime_ns) != (said["size_bytes"], said["mtime_ns"]):
        say(f"{source} was touched since the store was written: comparing its sequence")
        check_digest(path, said["digest"], fasta_digest(source), source)


def fasta_digest(path: Path) -> str:
    """Compute the digest that `Genome.digest` gives, with one record in memory at a time.

    Raises
    ------
    DataError
        If the file cannot be read as a FASTA of DNA.
    """
    records = FastaStream([path])
    with track(f"reading {path.name}", unit="bases") as task:
        for bases in records:
            task.advance(len(bases))
    return records.digests[0]
