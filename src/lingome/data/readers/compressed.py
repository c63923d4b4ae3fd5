"""Read plain and gzip files alike: what a file is is told by its first bytes, not its name."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from lingome.core.errors import DataError

Compression = Literal["plain", "gzip", "bgzf"]

BLOCK_BYTES = 1 << 22
MAX_LINE_BYTES = 1 << 26
GZIP_RATIO = 4
"""Letters of sequence in a byte of gzip, about."""

# First bytes of what people hand over by mistake, and what to do about it.
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive", "unzip it first"),
    (b"\xfd7zXZ\x00", "compressed with xz", "decompress it with xz -d, or recompress it with gzip"),
    (b"BZh", "compressed with bzip2", "decompress it with bunzip2, or recompress it with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it with zstd -d, or recompress it with gzip"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", None),
    (b"\x1a\x41\x27\x43", "a .2bit genome", "turn it into FASTA with twoBitToFa"),
    (b"\x43\x27\x41\x1a", "a .2bit genome", "turn it into FASTA with twoBitToFa"),
    (b"\x89PNG", "a picture", None),
    (b"%PDF", "a PDF", None),
)


def is_folder(path: Path) -> bool:
    """Say whether there is a folder; a path that no file system takes is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def sniff(path: Path) -> Compression:
    """Tell how a file is compressed.

    Raises
    ------
    DataError
        If the file is missing, a folder, empty, unreadable, or of a kind lingome does not read.
    """
    if is_folder(path):
        raise DataError("this is a folder, not a file", where=path)
    try:
        with path.open("rb") as handle:
            head = handle.read(18)
    except FileNotFoundError:
        raise DataError("there is no such file", where=path) from None
    except (OSError, ValueError) as error:
        raise DataError("the file cannot be read", where=path, got=getattr(error, "strerror", None) or error) from error
    if not head:
        raise DataError("the file is empty", where=path)
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            raise DataError(f"the file is {what}", where=path, expected="text, plain or gzip", hint=hint)
    if not head.startswith(b"\x1f\x8b"):
        return "plain"
    # The BGZF subfield "BC" of two bytes; SAM specification v1, section 4.1.
    return "bgzf" if len(head) >= 16 and head[3] & 4 and head[12:16] == b"BC\x02\x00" else "gzip"


def estimate_bases(path: Path) -> int:
    """Estimate the letters of a FASTA from the size of its file; a gzip file holds about four in a byte.

    Raises
    ------
    DataError
        As `sniff`.
    """
    compression = sniff(path)
    size_bytes = path.stat().st_size
    return size_bytes if compression == "plain" else size_bytes * GZIP_RATIO


def read_blocks(path: Path) -> Iterator[bytes]:
    """Read a file in blocks of at most 4 MiB, decompressed.

    Raises
    ------
    DataError
        As `sniff`; or if the gzip stream is cut short or damaged.
    """
    compression = sniff(path)
    try:
        with path.open("rb") as handle:
            if compression == "plain":
                while block := handle.read(BLOCK_BYTES):
                    yield block
            else:
                yield from _inflate(path, iter(lambda: handle.read(1 << 20), b""))
    except OSError as error:
        raise DataError("the file cannot be read", where=path, got=error.strerror or error) from error


def _inflate(path: Path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress one or many gzip members after another (BGZF has one each 64 KiB)."""
    stream = zlib.decompressobj(31)
    fresh = True
    gathered = []
    size = 0
    for piece in pieces:
        data = piece
        while data:
            if fresh and not data.strip(b"\x00"):  # tape padding after the last member
                break
            try:
                out = stream.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                raise DataError(
                    "the gzip data are damaged", where=path, got=error, hint="download or copy the file again"
                ) from error
            fresh = False
            gathered.append(out)
            size += len(out)
            if size >= BLOCK_BYTES:
                yield b"".join(gathered)
                gathered = []
                size = 0
            data = stream.unconsumed_tail
            if stream.eof:
                data, fresh, stream = stream.unused_data, True, zlib.decompressobj(31)
    if not fresh:
        raise DataError(
            "the gzip file is cut short", where=path, got="the end of the file inside a compressed stream",
            hint="download or copy the file again",
        )
    if gathered:
        yield b"".join(gathered)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read a text file as (line number from 1, line without its end).

    Raises
    ------
    DataError
        As `read_blocks`; or if the file is not UTF-8 text.
    """
    number = 0
    rest = b""
    for block in read_blocks(path):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_LINE_BYTES:
            raise DataError("a line is longer than 64 MiB", where=f"{path}:{number + len(lines) + 1}")
        for line in lines:
            number += 1
            yield number, _text(path, number, line)
    if rest:
        yield number + 1, _text(path, number + 1, rest)


def _text(path: Path, number: int, line: bytes) -> str:
    if number == 1 and line.startswith(b"\xef\xbb\xbf"):
        line = line[3:]
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text:
        raise DataError("not text in UTF-8", where=f"{path}:{number}", got=repr(line[:40]))
    return text.removesuffix("\r")
