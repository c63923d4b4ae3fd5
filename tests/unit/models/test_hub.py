"""Models of the hub, against a server on loopback that speaks the hub's endpoints."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import huggingface_hub.constants
import huggingface_hub.utils
import numpy as np
import pytest
import torch

from lingome.cli.main import main
from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.core.progress import set_sink
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.hub import fetch_model, read_origin
from lingome.models.hub.reference import parse_reference
from lingome.models.mapping.weight_files import digest_weights
from lingome.models.open import find_model, read_lineage
from lingome.models.presets import find_shape
from lingome.models.registry import initialise
from lingome.tokens.load import build_tokenizer

COMMIT = "1234567890abcdef1234567890abcdef12345678"
NEWER = "feedfacefeedfacefeedfacefeedfacefeedface"
NAME = "hub:lab/tiny"


@dataclass
class Hub:
    """What the server holds, how it misbehaves, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=lambda: {"main": COMMIT, COMMIT: COMMIT, "v1": COMMIT})
    licence: str | None = "cc-by-4.0"
    api_status: int = 200
    file_status: int = 200
    error_code: str = ""
    token: str = ""
    cut_after: int | None = None
    tampered: str = ""
    elsewhere: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def downloads(self) -> list[str]:
        return [path.rpartition("/")[2] for method, path, _ in self.asked if method == "GET" and "/resolve/" in path]


class Handler(BaseHTTPRequestHandler):
    """The endpoints of the hub that a download asks."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, dict(self.headers)))
        if path.startswith("/api/models/"):
            self._api(path.removeprefix("/api/models/"))
        else:
            repository, _, rest = path.removeprefix("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            self._file(repository, revision, name)

    def _api(self, path: str) -> None:
        repository, _, revision = path.partition("/revision/")
        if self.hub.api_status != 200:
            return self._fail(self.hub.api_status, self.hub.error_code)
        if repository != "lab/tiny":
            return self._fail(401, "")  # as the hub says of what is missing and of what is private
        commit = self.hub.commits.get(revision or "main")
        if commit is None:
            return self._fail(404, "RevisionNotFound")
        siblings = [
            {"rfilename": name, "size": len(content), "blobId": git_digest(content), **(
                {"lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}}
                if name.endswith((".safetensors", ".bin")) else {})}
            for name, content in self.hub.files.items()
        ]
        card = {"license": self.hub.licence} if self.hub.licence else {}
        body = json.dumps({"id": repository, "sha": commit, "siblings": siblings, "cardData": card, "tags": []})
        self._send(200, body.encode(), {"Content-Type": "application/json"})

    def _file(self, repository: str, revision: str, name: str) -> None:
        content = self.hub.files.get(name)
        status = self.hub.file_status
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._fail(401, "GatedRepo")
        if status != 200:
            return self._fail(status, self.hub.error_code)
        if content is None or revision not in self.hub.commits:
            return self._fail(404, "EntryNotFound")
        large = name.endswith((".safetensors", ".bin"))
        etag = hashlib.sha256(content).hexdigest() if large else git_digest(content)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": self.hub.commits[revision], "Accept-Ranges": "bytes"}
        if self.hub.elsewhere and large:
            headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(len(content)),
                        "Location": f"{self.hub.elsewhere}/lab/tiny/resolve/{revision}/{name}"}
            return self._send(302, b"", headers)
        if name == self.hub.tampered:
            content = bytes(byte ^ 1 for byte in content)
        start = 0
        asked = self.headers.get("Range", "")
        if self.command == "GET" and asked.startswith("bytes="):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, content[start:], headers, cut=large)

    def _fail(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"Retry-After": "7", **({"X-Error-Code": code} if code else {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut and self.hub.cut_after is not None and len(body) > self.hub.cut_after:
            self.wfile.write(body[:self.hub.cut_after])
            self.close_connection = True
            return
        self.wfile.write(body)


def git_digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def serve(hub: Hub) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("One", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny masked model, as its authors publish it: with code beside it that nobody should get."""
    folder = tmp_path_factory.mktemp("published") / "tiny"
    tokenizer = build_tokenizer("kmers", k=2)
    model = MaskedLM(find_shape("32x2", tokenizer.vocab_size))
    initialise(model, 3)
    save_checkpoint(folder, model.eval(), tokenizer)
    (folder / "modeling_tiny.py").write_text("raise SystemExit('remote code ran')\n")
    (folder / "training_args.bin").write_bytes(b"not for us")
    return folder


@pytest.fixture
def hub(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub, with the tiny model; the network is allowed, the cache empty, nobody logged in."""
    held = Hub(files={file.name: file.read_bytes() for file in sorted(published.iterdir())})
    server = serve(held)
    monkeypatch.delenv("LINGOME_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", held.url)
    monkeypatch.setenv("LINGOME_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for name, value in {"HF_HUB_OFFLINE": False, "HF_TOKEN_PATH": str(tmp_path / "no-token"),
                        "ENDPOINT": "https://huggingface.co"}.items():
        monkeypatch.setattr(huggingface_hub.constants, name, value)
    monkeypatch.setattr("lingome.data.catalog.download.time.sleep", lambda seconds: None)
    yield held
    huggingface_hub.utils.close_session()
    server.shutdown()
    server.server_close()


class OneBar:
    def __init__(self, listener: Bars, description: str) -> None:
        self.listener = listener
        self.description = description

    def advance(self, amount: float, note: str) -> None:
        self.listener.bars[self.description] = self.listener.bars.get(self.description, 0) + amount

    def close(self) -> None:
        pass


class Bars:
    """Keeps what is said, and how far every bar came."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.bars: dict[str, float] = {}

    def say(self, message: str) -> None:
        self.said.append(message)

    def show(self, text: str) -> None:
        raise AssertionError(text)

    def bar(self, description: str, total: float | None, unit: str) -> OneBar:
        return OneBar(self, description)


@pytest.fixture
def sink() -> Iterator[Bars]:
    listener = Bars()
    set_sink(listener)
    yield listener
    set_sink(None)


def test_a_model_is_downloaded_verified_and_opened(hub: Hub, sink: Bars, published: Path) -> None:
    folder = fetch_model(NAME)
    assert folder == Path(os.environ["LINGOME_CACHE"]) / "hub" / "lab--tiny" / COMMIT
    model, tokenizer = load_checkpoint(folder)
    expected, _ = load_checkpoint(published)
    ids = torch.tensor([tokenizer.encode("ACGTTGCA").input_ids.tolist()])
    mask = torch.ones_like(ids, dtype=torch.bool)
    assert torch.equal(model(ids, mask), expected(ids, mask))
    size = sum(len(hub.files[name]) for name in set(hub.downloads()))
    assert sink.said == [f"{NAME}: commit {COMMIT[:12]}; licence: cc-by-4.0; {size / 1e6:,.1f} MB to download"]
    assert sink.bars["downloading model.safetensors"] == len(hub.files["model.safetensors"])


def test_only_what_a_model_needs_is_downloaded(hub: Hub) -> None:
    folder = fetch_model(NAME)
    assert sorted(hub.downloads()) == sorted(hub.files.keys() - {"modeling_tiny.py", "training_args.bin"})
    assert not list(folder.glob("*.py")) + list(folder.glob("*.part"))


def test_the_origin_is_written_beside_the_config(hub: Hub, published: Path) -> None:
    said = read_origin(fetch_model(NAME))
    assert (said["hub"], said["asked"], said["commit"]) == ("lab/tiny", None, COMMIT)
    assert (said["licence"], said["endpoint"]) == ("cc-by-4.0", hub.url)
    assert said["digest"] == digest_weights(published)
    assert said["files"]["config.json"]["sha256"] == hashlib.sha256(hub.files["config.json"]).hexdigest()
    assert read_origin(published) == {}


def test_the_second_time_nothing_is_downloaded(hub: Hub, sink: Bars) -> None:
    folder = fetch_model(NAME)
    hub.asked.clear()
    assert fetch_model(NAME) == folder
    assert [path for _, path, _ in hub.asked] == ["/api/models/lab/tiny"]  # which commit it is now
    assert len(sink.said) == 1


def test_a_branch_that_moves_is_downloaded_anew(hub: Hub) -> None:
    old = fetch_model(NAME)
    hub.commits |= {"main": NEWER, NEWER: NEWER}
    new = fetch_model(NAME)
    assert (old.name, new.name) == (COMMIT, NEWER)
    assert fetch_model(f"{NAME}@{COMMIT}") == old


def test_a_revision_is_pinned(hub: Hub) -> None:
    hub.commits |= {"main": NEWER, NEWER: NEWER}
    folder = fetch_model(f"{NAME}@v1")
    assert read_origin(folder)["asked"] == "v1"
    assert folder.name == COMMIT
    hub.asked.clear()
    assert fetch_model(f"{NAME}@{COMMIT}") == folder
    assert hub.asked == []  # a commit always names the same files: nobody is asked


def test_offline_a_cached_model_is_opened_and_nobody_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch_model(NAME)
    hub.asked.clear()
    for name in ("LINGOME_OFFLINE", "HF_HUB_OFFLINE"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert fetch_model(NAME) == folder
            with pytest.raises(DataError, match=r"hub:lab/tiny@v1: this model is not in the cache, and the network"):
                fetch_model(f"{NAME}@v1")  # the same commit, but offline nobody can know
    assert hub.asked == []


def test_a_hub_that_is_away_leaves_the_cached_model(hub: Hub, sink: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch_model(NAME)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch_model(NAME) == folder
    assert sink.said[-1] == f"{NAME}: the hub cannot be reached; the copy in the cache is used, commit {COMMIT}"
    with pytest.raises(DataError, match="hub:lab/other: the hub cannot be reached"):
        fetch_model("hub:lab/other")


def test_the_library_may_be_offline_by_itself(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # as TRANSFORMERS_OFFLINE=1 does
    with pytest.raises(DataError, match="the network is off limits"):
        fetch_model(NAME)


@pytest.mark.parametrize(("reference", "status", "code", "kind", "message", "advice"), [
    (NAME, 401, "GatedRepo", CheckpointError, "asks for consent or a token", "HF_TOKEN"),
    (NAME, 403, "GatedRepo", CheckpointError, "asks for consent or a token", "accept the terms at http"),
    (NAME, 403, "", CheckpointError, "asks for consent or a token", "HF_TOKEN"),
    (NAME, 404, "RepoNotFound", CheckpointError, "no such model, or it is private", "look at http"),
    (NAME, 429, "", DataError, "too many requests", "wait 7 seconds"),
    (NAME, 503, "", DataError, "the hub has a fault", "try again later"),
    (NAME, 418, "", DataError, "the hub refuses", None),
    ("hub:lab/missing", 200, "", CheckpointError, "no such model, or it is private", "HF_TOKEN"),
    (f"{NAME}@v9", 200, "", CheckpointError, "no such revision", "leave out @REVISION"),
])
def test_a_refusal_is_one_error_that_says_what_to_try(
    hub: Hub, reference: str, status: int, code: str, kind: type[DataError], message: str, advice: str | None
) -> None:
    hub.api_status = status
    hub.error_code = code
    with pytest.raises(kind, match=message) as caught:
        fetch_model(reference)
    assert str(caught.value.where) == reference
    assert advice is None or advice in str(caught.value.hint)
    assert hub.downloads() == []


@pytest.mark.parametrize(("status", "code", "message"), [
    (403, "GatedRepo", "asks for consent"), (429, "", "too many requests"), (500, "", "the hub has a fault"),
])
def test_a_refusal_of_a_file_is_said_too(hub: Hub, status: int, code: str, message: str) -> None:
    hub.file_status = status
    hub.error_code = code
    with pytest.raises(DataError, match=message):
        fetch_model(NAME)


def test_a_token_opens_a_gated_model_and_goes_to_the_hub_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Hub(files=hub.files, commits=hub.commits)
    server = serve(store)
    hub.token = "let-me-in"
    hub.elsewhere = store.url.replace("127.0.0.1", "localhost")
    with pytest.raises(CheckpointError, match="asks for consent or a token"):
        fetch_model(NAME)
    monkeypatch.setenv("HF_TOKEN", "let-me-in")
    load_checkpoint(fetch_model(NAME))
    huggingface_hub.utils.close_session()
    server.shutdown()
    server.server_close()
    assert store.downloads() == ["model.safetensors"]
    assert all("Authorization" not in headers for _, _, headers in store.asked)


def test_a_cut_download_goes_on_where_it_stopped(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(hub.files["model.safetensors"])
    hub.cut_after = whole // 7
    with pytest.raises(DataError, match=r"the download of model\.safetensors broke off") as caught:
        fetch_model(NAME)
    assert "continues where it stopped" in str(caught.value.hint)
    shelf = Path(os.environ["LINGOME_CACHE"]) / "hub" / "lab--tiny" / COMMIT
    there = (shelf / "model.safetensors.part").stat().st_size
    assert there == 4 * (whole // 7)  # four attempts, each a part further
    assert not (shelf / "hub.json").exists()
    hub.cut_after = None
    hub.asked.clear()
    load_checkpoint(fetch_model(NAME))
    assert hub.downloads() == ["model.safetensors"]  # the small files are there
    assert [headers.get("Range") for method, _, headers in hub.asked if method == "GET"][-1] == f"bytes={there}-"


def test_what_is_not_what_the_hub_says_is_refused_and_removed(hub: Hub) -> None:
    for name in ("config.json", "model.safetensors"):
        hub.tampered = name
        with pytest.raises(CheckpointError, match=f"what came as {name} is not what the hub says it is"):
            fetch_model(NAME)
    assert not (Path(os.environ["LINGOME_CACHE"]) / "hub" / "lab--tiny" / COMMIT / "model.safetensors").exists()
    hub.tampered = ""
    load_checkpoint(fetch_model(NAME))


def test_a_cached_file_that_was_cut_is_downloaded_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch_model(NAME)
    (folder / "model.safetensors").write_bytes(b"short")
    with monkeypatch.context() as patch:
        patch.setenv("LINGOME_OFFLINE", "1")
        with pytest.raises(DataError, match="not in the cache"):
            fetch_model(NAME)
    hub.asked.clear()
    load_checkpoint(fetch_model(NAME))
    assert hub.downloads() == ["model.safetensors"]


def test_a_disk_too_small_is_said_before_the_download(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(DataError, match="there is not enough space for this model") as caught:
        fetch_model(NAME)
    assert "LINGOME_CACHE" in str(caught.value.hint)
    assert hub.downloads() == []


def test_a_disk_that_fills_up_is_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def full(self: Path, mode: str = "r", *rest: object, **named: object) -> object:
        if self.name == "model.safetensors.part":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, mode, *rest, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(DataError, match="the disk is full") as caught:
            fetch_model(NAME)
    assert "LINGOME_CACHE" in str(caught.value.hint)
    load_checkpoint(fetch_model(NAME))


def test_shards_are_downloaded_with_their_index(hub: Hub, published: Path) -> None:
    from safetensors.torch import load, save

    tensors = load(hub.files.pop("model.safetensors"))
    names = sorted(tensors)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, held in halves.items():
        hub.files[shard] = save({name: tensors[name] for name in held})
    index = {"weight_map": {name: shard for shard, held in halves.items() for name in held}}
    hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    folder = fetch_model(NAME)
    model, _ = load_checkpoint(folder)
    expected, _ = load_checkpoint(published)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert read_origin(folder)["digest"] == digest_weights(folder)


def test_pickles_are_converted_once_and_removed(hub: Hub, sink: Bars, published: Path, tmp_path: Path) -> None:
    from safetensors.torch import load

    torch.save(load(hub.files.pop("model.safetensors")), tmp_path / "old.bin")
    hub.files["pytorch_model.bin"] = (tmp_path / "old.bin").read_bytes()
    folder = fetch_model(NAME)
    assert folder.name == f"{COMMIT}-converted"
    model, _ = load_checkpoint(folder)
    expected, _ = load_checkpoint(published)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    said = read_origin(folder)
    assert said["converted"] == "pytorch_model.bin"
    assert said["digest"] == digest_weights(folder)
    old = hashlib.sha256(hub.files["pytorch_model.bin"]).hexdigest()
    assert said["files"]["pytorch_model.bin"]["sha256"] == old
    assert [child.name for child in folder.parent.iterdir() if child.name.startswith(COMMIT)] == [folder.name]
    hub.asked.clear()
    assert fetch_model(NAME) == folder
    assert hub.downloads() == []


def test_a_pickle_with_a_program_in_it_is_refused(hub: Hub, tmp_path: Path) -> None:
    import pickle

    class Program:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'it-ran'}",)

    del hub.files["model.safetensors"]
    hub.files["pytorch_model.bin"] = pickle.dumps({"weight": Program()})
    with pytest.raises(CheckpointError):
        fetch_model(NAME)
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(("missing", "message"), [
    ("config.json", "holds no model: it has no config.json"), ("model.safetensors", "no weights that are read"),
])
def test_a_repository_without_a_model_is_refused_before_the_download(hub: Hub, missing: str, message: str) -> None:
    del hub.files[missing]
    with pytest.raises(CheckpointError, match=message):
        fetch_model(NAME)
    assert hub.downloads() == []


def test_a_licence_that_is_not_said_is_said_to_be_missing(hub: Hub, sink: Bars) -> None:
    hub.licence = None
    assert read_origin(fetch_model(NAME))["licence"] is None
    assert "licence: not said; ask its authors before you use it" in sink.said[0]


@pytest.mark.parametrize("text", [
    "hub:", "hub:tiny", "hub:lab/", "hub:lab/tiny/more", "hub:../tiny", "hub:lab/..", "hub:lab/tiny@", "lab/tiny",
    "hub:lab/tiny@../../x", "hub:lab/ti ny", "hub:lab/tiny@a b", "hub:/tiny", "hub:la--b/tiny",
])
def test_a_reference_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="this does not name a model of the hub"):
        fetch_model(text)


def test_references_of_published_models_are_read() -> None:
    assert parse_reference("hub:facebook/esm2_t6_8M_UR50D") == ("facebook/esm2_t6_8M_UR50D", None)
    assert parse_reference("hub:a/b.c-d@refs/pr/3") == ("a/b.c-d", "refs/pr/3")
    assert str(parse_reference("hub:a/b@v1")) == "hub:a/b@v1"


def test_a_damaged_origin_is_refused(tmp_path: Path) -> None:
    for content in ("{", "[]", '{"commit": 3, "files": {}}', '{"commit": "a", "files": {"x": {}}}'):
        (tmp_path / "hub.json").write_text(content)
        with pytest.raises(CheckpointError, match="origin cannot be read"):
            read_origin(tmp_path)


def test_a_command_takes_a_model_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "some.fa").write_text(">a\nACGTACGTTTGA\n>b\nGGCATTACGATA\n")
    words = ["embed", str(tmp_path / "some.fa"), "-m", NAME, "-o", str(tmp_path / "vectors.npz")]
    assert main(words) == 0
    with np.load(tmp_path / "vectors.npz") as vectors:
        assert vectors["embeddings"].shape == (2, 32)
        assert str(vectors["model"]) == NAME
    origin = read_lineage(find_model(NAME))["origin"]
    assert (origin["hub"], origin["commit"]) == ("lab/tiny", COMMIT)


def test_a_command_says_in_one_error_what_the_hub_says(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some.fa").write_text(">a\nACGTACGTTTGA\n")
    hub.api_status = 429
    assert main(["embed", str(tmp_path / "some.fa"), "-m", NAME, "-o", str(tmp_path / "vectors.npz")]) == 3
    said = capsys.readouterr().err
    assert "hub:lab/tiny: the hub got too many requests from here" in said
    assert "Traceback" not in said


def test_two_processes_download_once(hub: Hub) -> None:
    script = f"from lingome.models.hub import fetch_model; print(fetch_model({NAME!r}))"
    both = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = {one.communicate(timeout=120)[0].strip() for one in both}
    assert len(found) == 1
    assert all(one.returncode == 0 for one in both)
    assert hub.downloads().count("model.safetensors") == 1
