"""Write files and folders whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, DataError, LingomeError


def check_absent(path: Path, force: bool) -> None:
    """Refuse, before any work, to write over something that exists or where nothing can be written.

    Raises
    ------
    DataError
        If `path` exists and `force` is false, a part of it is a file, or its folder cannot be written to.
    """
    with explain_os_errors(path):
        if path.exists() and not force:
            raise DataError("the output exists already", where=path, hint="choose another -o, or add --force")
        place = next(folder for folder in path.absolute().parents if folder.exists())
        if not place.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(place, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def check_new_file(path: Path, force: bool) -> None:
    """Do as `check_absent`, and refuse a folder where a file is to be written, even when forced.

    Raises
    ------
    DataError
        As `check_absent`, or if `path` is a folder.
    """
    if path.is_dir():
        raise DataError("this is a folder, but a file is to be written", where=path, hint="add a file name to -o")
    check_absent(path, force)


@contextmanager
def explain_os_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder or an impossible name into a `DataError` that names the path.

    Raises
    ------
    DataError
        In place of the error of the system.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        hints = {
            errno.ENOSPC: ("the disk is full", "free some space, or write elsewhere with -o"),
            errno.EDQUOT: ("the disk quota is used up", "free some space, or write elsewhere with -o"),
            errno.EFBIG: ("the file is too large for this file system, or for the limit on files (ulimit -f)",
                          "write elsewhere with -o, or raise the limit"),
            errno.EACCES: ("no permission to write here", "choose a folder you may write to with -o"),
            errno.EPERM: ("no permission to write here", "choose a folder you may write to with -o"),
            errno.EROFS: ("this file system is read-only", "choose a folder you may write to with -o"),
            errno.ENOTDIR: ("a part of this path is a file, not a folder", "choose another -o"),
            errno.ENAMETOOLONG: ("this name is too long", "choose a shorter -o"),
        }
        if error.errno not in hints:
            raise
        what, hint = hints[error.errno]
        raise DataError(what, where=path, hint=hint) from error


@contextmanager
def make_parents(path: Path) -> Iterator[None]:
    """Make the folders above `path`; if the block fails, remove those that it made and that are empty."""
    missing = [folder for folder in path.absolute().parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def atomic_file(path: Path, *, force: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`, moved into place only when the block succeeds.

    Raises
    ------
    DataError
        If `path` is a folder, or exists and `force` is false, the disk is full or the folder is read-only.
    """
    check_new_file(path, force)
    with explain_os_errors(path), make_parents(path):
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
    with explain_os_errors(path), make_parents(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
                path.replace(old / path.name)
                try:
                    temporary.replace(path)
                except BaseException:
                    (old / path.name).replace(path)
                    raise
                finally:
                    shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.replace(path)
        except DataError as error:
            if str(temporary) not in str(error.where):
                raise
            where = str(error.where).replace(str(temporary), str(path))  # the name that was asked for
            raise type(error)(
                error.what, where=where, got=error.got, expected=error.expected, hint=error.hint
            ) from error
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


@contextmanager
def name_file(file: Path) -> Iterator[None]:
    """Add the file to an error of the block that names none; a number in its place is the number of a line.

    Raises
    ------
    CheckpointError
        The error of the block, with its place.
    """
    try:
        yield
    except CheckpointError as error:
        where = error.where
        if where is None:
            where = file
        elif isinstance(where, int):
            where = f"{file}:{where}"
        raise CheckpointError(
            error.what, where=where, got=error.got, expected=error.expected, hint=error.hint
        ) from error


def read_text(file: Path) -> str:
    """Read a file of text in UTF-8.

    Raises
    ------
    CheckpointError
        If it cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError("the file cannot be read as text", where=file, got=error) from error


def read_json_object(file: Path, error_kind: type[LingomeError] = CheckpointError) -> dict[str, Any]:
    """Read a JSON file that holds an object: names and values.

    Raises
    ------
    CheckpointError
        Or an error of the kind asked for, if the file cannot be read, or holds anything else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise error_kind("cannot be read as JSON", where=file, got=error) from error
    if not isinstance(content, dict):
        raise error_kind("does not hold names and values", where=file, got=repr(content)[:80])
    return content
