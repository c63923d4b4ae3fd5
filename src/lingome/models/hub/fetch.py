"""Download a model of the hub into the cache, once, and give its folder.

::

    $LINGOME_CACHE/hub/OWNER--NAME/
        refs/main                    the commit that a branch or a tag named when it was last asked for
        COMMIT/                      the files as they were published, and hub.json when all are there and verified
        COMMIT-converted/            of a repository that has pickles alone: the same model in safetensors

No code of a repository is downloaded, and none is run.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from lingome.core.errors import CheckpointError, DataError
from lingome.core.files import atomic_folder, digest_file, explain_os_errors, write_text
from lingome.core.progress import say
from lingome.data.catalog.download import download
from lingome.data.catalog.fetch import cache_folder, is_offline
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import write_checkpoint
from lingome.models.folders.importing import import_model
from lingome.models.hub.origin import ORIGIN, read_origin
from lingome.models.hub.reference import Reference, parse_reference
from lingome.models.hub.repository import (
    Listing,
    RemoteFile,
    Unreachable,
    are_pickled,
    endpoint,
    explain_hub_errors,
    list_repository,
)
from lingome.models.mapping.weight_files import digest_weights

_SHA256_DIGITS = 64
_BLOCK = 1 << 20


def fetch_model(reference: str) -> Path:
    """Give the folder of a model of the hub, after downloading and verifying it where it is not in the cache.

    A commit that is in the cache is opened without the network. For a branch, a tag or no revision the hub is asked
    which commit it names now; when the hub cannot be reached, the commit that it named last is used, and said.

    Parameters
    ----------
    reference : str
        ``hub:OWNER/NAME`` or ``hub:OWNER/NAME@REVISION``.

    Returns
    -------
    Path
        A model folder in the cache, with ``hub.json`` (see `read_origin`).

    Raises
    ------
    ConfigError
        If the reference is not written so.
    CheckpointError
        If there is no such model or revision, the user may not read it, it is no model that lingome reads, or what
        came is not what the hub says.
    DataError
        If the model is not in the cache and the network is off limits, the hub cannot be reached or asks to wait,
        the download breaks, or the disk is full.
    """
    asked = parse_reference(reference)
    shelf = cache_folder() / "hub" / asked.repository.replace("/", "--")
    known = asked.revision if asked.is_pinned else _read_ref(shelf, asked)
    cached = _find_cached(shelf, known)
    if cached is not None and (asked.is_pinned or is_offline()):
        return cached
    if is_offline():
        raise DataError("this model is not in the cache, and the network is off limits", where=asked,
                        expected=f"{shelf}", hint="unset LINGOME_OFFLINE and HF_HUB_OFFLINE, or copy that folder "
                        "from a machine that has it")
    try:
        listing = list_repository(asked)
    except Unreachable as error:
        if cached is None:
            raise
        say(f"{asked}: {error.what}; the copy in the cache is used, commit {known}")
        return cached
    found = _find_cached(shelf, listing.commit) or _get(asked, shelf, listing)
    if not asked.is_pinned:
        write_text(_ref_file(shelf, asked), f"{listing.commit}\n")
    return found


def _get(asked: Reference, shelf: Path, listing: Listing) -> Path:
    """Download, verify and where needed convert, while no other process does."""
    from filelock import FileLock

    folder = shelf / listing.commit
    with explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf / ".lock"):
        found = _find_cached(shelf, listing.commit)  # another process may have been faster
        if found is not None:
            return found
        _download_all(asked, folder, listing)
        if are_pickled(listing):
            return _convert(asked, folder, listing)
        said = _origin(asked, folder, listing) | {"digest": digest_weights(folder)}
        write_text(folder / ORIGIN, json.dumps(said, indent=2) + "\n")
    return folder


def _download_all(asked: Reference, folder: Path, listing: Listing) -> None:
    """Bring every file of a listing into a folder; those that are there and whole are kept."""
    missing = [file for file in listing.files if not _is_whole(folder / file.name, file)]
    size = sum(file.size_bytes for file in missing)
    licence = listing.licence or "not said; ask its authors before you use it"
    say(f"{asked}: commit {listing.commit[:12]}; licence: {licence}; {size / 1e6:,.1f} MB to download")
    there = sum(part.stat().st_size for part in folder.glob("*.part"))
    with explain_os_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < size - there:
        raise DataError("there is not enough space for this model", where=folder, got=f"{free / 1e6:,.1f} MB free",
                        expected=f"{(size - there) / 1e6:,.1f} MB",
                        hint="free some space, or set LINGOME_CACHE to a larger disk")
    for file in missing:
        _download(asked, folder / file.name, file, listing.commit)


def _download(asked: Reference, target: Path, file: RemoteFile, commit: str) -> None:
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

    url = hf_hub_url(asked.repository, file.name, revision=commit, endpoint=endpoint())
    with explain_hub_errors(asked):
        where = get_hf_file_metadata(url, timeout=60, library_name="lingome").location
        # The token is for the hub, never for the server that the hub stores its large files on.
        token = get_token() if urlsplit(where)[:2] == urlsplit(url)[:2] else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        download(where, target, headers=headers)
    except DataError as error:
        if isinstance(error.__cause__, OSError):  # the disk: said already, with what to try
            raise DataError(error.what, where=target, got=error.got,
                            hint="free some space, or set LINGOME_CACHE to another disk; then run the same command "
                            "again: it continues where it stopped") from error
        reason = "; ".join(str(part) for part in (error.what, error.got) if part is not None)
        raise DataError(f"the download of {file.name} broke off", where=asked, got=reason,
                        hint="run the same command again: it continues where it stopped") from error
    if not _is_whole(target, file):
        size = target.stat().st_size
        target.unlink()
        raise CheckpointError(
            f"what came as {file.name} is not what the hub says it is", where=asked, got=f"{size:,} bytes",
            expected=f"{file.size_bytes:,} bytes with digest {file.digest[:12]}",
            hint="run the same command again; if it stays so, a proxy changes what is downloaded",
        )


def _is_whole(path: Path, file: RemoteFile) -> bool:
    """Say whether a file is there, with the size and the digest that the hub says."""
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    if len(file.digest) == _SHA256_DIGITS:
        return digest_file(path) == file.digest
    digest = hashlib.sha1(f"blob {file.size_bytes}\0".encode(), usedforsecurity=False)  # as git names a file
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest() == file.digest


def _convert(asked: Reference, folder: Path, listing: Listing) -> Path:
    """Write a model of pickles as one of safetensors beside it, then remove what was downloaded."""
    say(f"{asked}: taking the tensors out of {listing.files[-1].name}, to write them as safetensors")
    imported = import_model(folder)
    for note in imported.notes:
        say(f"{asked}: {note}")
    files = ", ".join(file.name for file in imported.files)
    card = ModelCard(
        title=asked.repository, summary=f"A {imported.family.name} model that others trained, downloaded from the "
        "Hugging Face hub and converted by lingome.", licence=listing.licence or "unknown",
        data=("see its publication",), training={"converted from": f"{files} of commit {listing.commit}"},
    )
    target = folder.with_name(f"{listing.commit}-converted")
    with atomic_folder(target, force=True) as temporary:
        write_checkpoint(temporary, imported.model, imported.tokenizer, card)
        said = _origin(asked, folder, listing) | {"converted": files, "digest": digest_weights(temporary)}
        (temporary / ORIGIN).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    return target


def _origin(asked: Reference, folder: Path, listing: Listing) -> dict[str, Any]:
    """Say where files came from; see `read_origin`."""
    files = {
        file.name: {
            "size_bytes": file.size_bytes,
            "sha256": file.digest if len(file.digest) == _SHA256_DIGITS else digest_file(folder / file.name),
        }
        for file in listing.files
    }
    return {"hub": asked.repository, "asked": asked.revision, "commit": listing.commit, "endpoint": endpoint(),
            "licence": listing.licence, "files": files}


def _find_cached(shelf: Path, commit: str | None) -> Path | None:
    """Give the folder of a commit that is whole: every file has the size that was verified when it came."""
    if commit is None:
        return None
    for folder in (shelf / commit, shelf / f"{commit}-converted"):
        said = read_origin(folder)
        if said.get("converted") and (folder / "model.safetensors").is_file():
            return folder
        files = said.get("files", {})
        if files and all(
            (folder / name).is_file() and (folder / name).stat().st_size == file["size_bytes"]
            for name, file in files.items()
        ):
            return folder
    return None


def _ref_file(shelf: Path, asked: Reference) -> Path:
    return shelf / "refs" / quote(asked.revision or "main", safe="")


def _read_ref(shelf: Path, asked: Reference) -> str | None:
    file = _ref_file(shelf, asked)
    return file.read_text(encoding="utf-8").strip() or None if file.is_file() else None
