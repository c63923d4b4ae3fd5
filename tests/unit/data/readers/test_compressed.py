"""What a file is told by its bytes, and how broken ones are refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pysam
import pytest

from lingome.core.errors import DataError
from lingome.data.readers.compressed import BLOCK_BYTES, read_blocks, read_lines, sniff

TEXT = b">chr1\n" + b"ACGT" * 5000 + b"\n"


def test_kinds_are_told_by_bytes_not_by_name(tmp_path: Path) -> None:
    plain, packed, blocked = tmp_path / "a.gz", tmp_path / "b.fa", tmp_path / "c.txt"
    plain.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT))
    source = tmp_path / "source"
    source.write_bytes(TEXT)
    pysam.tabix_compress(str(source), str(blocked))
    assert [sniff(file) for file in (plain, packed, blocked)] == ["plain", "gzip", "bgzf"]
    for file in (plain, packed, blocked):
        assert b"".join(read_blocks(file)) == TEXT


def test_several_gzip_members_and_zero_padding_are_read(tmp_path: Path) -> None:
    file = tmp_path / "two.gz"
    file.write_bytes(gzip.compress(b"AC") + gzip.compress(b"GT") + b"\x00" * 512)
    assert b"".join(read_blocks(file)) == b"ACGT"


def test_a_block_is_bounded_however_well_the_file_compresses(tmp_path: Path) -> None:
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(b"A" * (3 * BLOCK_BYTES + 5)))
    sizes = [len(block) for block in read_blocks(file)]
    assert sum(sizes) == 3 * BLOCK_BYTES + 5
    assert max(sizes) < 2 * BLOCK_BYTES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (gzip.compress(TEXT)[:-10], "cut short"),
        (gzip.compress(TEXT)[:12], "cut short"),
        (gzip.compress(TEXT) + b"rubbish", "damaged"),
        (b"PK\x03\x04....", "zip archive"),
        (lzma.compress(TEXT), "xz"),
        (bz2.compress(TEXT), "bzip2"),
    ],
    ids=["empty", "cut", "header", "rubbish", "zip", "xz", "bzip2"],  # gzip writes the time: no names from content
)
def test_broken_and_foreign_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        list(read_blocks(file))
    assert caught.value.where == file
    assert caught.value.exit_code == 3


def test_damaged_bytes_inside_gzip(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 40))
    packed[len(packed) // 2] ^= 0xFF
    file = tmp_path / "x.gz"
    file.write_bytes(packed)
    with pytest.raises(DataError, match=r"damaged|cut short"):
        list(read_blocks(file))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        sniff(tmp_path / "none")
    with pytest.raises(DataError, match="folder"):
        sniff(tmp_path)


def test_lines_are_numbered_and_lose_their_ends(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"\xef\xbb\xbfone\r\n\ntwo")
    assert list(read_lines(file)) == [(1, "one"), (2, ""), (3, "two")]


def test_binary_rubbish_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"fine\n\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8") as caught:
        list(read_lines(file))
    assert caught.value.where == f"{file}:2"
