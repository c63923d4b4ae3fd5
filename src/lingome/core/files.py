"""Write files and folders whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lingome.core.errors import DataError


def check_absent(path: Path, force: bool) -> None:
    """Refuse to write over something that exists, unless forced.

    Raises
    ------
    DataError
        If `path` exists and `force` is false.
    """
    if path.exists() and not force:
        raise DataError("the output exists already", where=path, hint="choose another -o, or add --force")


@contextmanager
def explain_os_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a read-only folder into a `DataError` that names the path."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        hints = {
            errno.ENOSPC: ("the disk is full", "free some space, or write elsewhere with -o"),
            errno.EDQUOT: ("the disk quota is used up", "free some space, or write elsewhere with -o"),
            errno.EACCES: ("no permission to write here", "choose a folder you may write to with -o"),
            errno.EPERM: ("no permission to write here", "choose a folder you may write to with -o"),
            errno.EROFS: ("this file system is read-only", "choose a folder you may write to with -o"),
            errno.ENOTDIR: ("a part of this path is a file, not a folder", "choose another -o"),
        }
        if error.errno not in hints:
            raise
        what, hint = hints[error.errno]
        raise DataError(what, where=path, hint=hint) from error


@contextmanager
def atomic_file(path: Path, *, force: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`, moved into place only when the block succeeds.

    Raises
    ------
    DataError
        If `path` exists and `force` is false, the disk is full or the folder is read-only.
    """
    check_absent(path, force)
    with explain_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path`, moved into place only when the block succeeds.

    Raises
    ------
    DataError
        If `path` exists and `force` is false, the disk is full or the folder is read-only.
    """
    check_absent(path, force)
    with explain_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
                path.replace(old / path.name)
                temporary.replace(path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def digest_file(path: Path) -> str:
    """Compute the sha256 of a file, as 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
