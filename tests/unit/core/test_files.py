from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lingome.core.errors import CheckpointError, DataError
from lingome.core.files import (
    atomic_file,
    atomic_folder,
    digest_file,
    name_file,
    read_json_object,
    read_text,
    write_text,
)


def test_a_folder_that_cannot_be_moved_into_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "store"
    target.mkdir()
    (target / "old").write_text("kept")
    move = Path.replace

    def fail(self: Path, aim: Path) -> Path:
        if Path(aim) == target and (self / "new").exists():
            raise KeyboardInterrupt
        return move(self, aim)

    with pytest.raises(KeyboardInterrupt), atomic_folder(target, force=True) as temporary:
        (temporary / "new").write_text("lost")
        monkeypatch.setattr(Path, "replace", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert (target / "old").read_text() == "kept"


def test_a_file_inside_a_folder_is_named_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught, atomic_folder(tmp_path / "store") as temporary:
        raise DataError("the disk is full", where=temporary / "tokens.npy")
    assert caught.value.where == str(tmp_path / "store" / "tokens.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path):
    target = tmp_path / "out.txt"
    with pytest.raises(ValueError, match="broken"), atomic_file(target) as temporary:
        temporary.write_text("half")
        raise ValueError("broken")
    assert list(tmp_path.iterdir()) == []
    write_text(target, "whole")
    assert target.read_text() == "whole"
    assert [file.name for file in tmp_path.iterdir()] == ["out.txt"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path):
    target = tmp_path / "model"
    with pytest.raises(ValueError, match="broken"), atomic_folder(target) as temporary:
        (temporary / "a").write_text("half")
        raise ValueError("broken")
    assert list(tmp_path.iterdir()) == []
    for text in ("one", "two"):
        with atomic_folder(target, force=True) as temporary:
            (temporary / "a").write_text(text)
    assert (target / "a").read_text() == "two"
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_what_exists_needs_force(tmp_path: Path):
    write_text(tmp_path / "a", "x")
    with pytest.raises(DataError, match="--force"), atomic_file(tmp_path / "a", force=False):
        pass


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")],
)
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, code: int, words: str):
    with pytest.raises(DataError, match=words), atomic_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("half")
        raise OSError(code, "simulated")
    assert list(tmp_path.iterdir()) == []


def test_digest_is_the_published_sha256_of_abc(tmp_path: Path):
    write_text(tmp_path / "abc", "abc")
    # FIPS 180-2, appendix B.1
    assert digest_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "as JSON"), (b"[1]", "names and values"), (b"\xff", "as JSON"), (b"[" * 100_000, "as JSON")],
)
def test_a_file_that_holds_no_object_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    with pytest.raises(CheckpointError, match=r"settings\.json: cannot be read as JSON"):
        read_json_object(file)
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"settings\.json: .*{said}"):
        read_json_object(file)
    file.write_text('{"a": 1}')
    assert read_json_object(file) == {"a": 1}


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match=r"list\.txt"):
        read_text(file)


@pytest.mark.parametrize(("where", "named"), [(None, "a.txt"), (3, "a.txt:3"), ("b.txt", "b.txt")])
def test_an_error_without_a_file_gets_one(where: object, named: str) -> None:
    with pytest.raises(CheckpointError) as caught, name_file(Path("a.txt")):
        raise CheckpointError("broken", where=where, got=1, expected=2, hint="mend it")
    lines = str(caught.value).splitlines()
    assert lines == [f"{named}: broken", "  got:      1", "  expected: 2", "  try:      mend it"]
