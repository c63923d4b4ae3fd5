"""Downloads from a server on this machine: whole, broken, continued, refused, verified."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lingome.core.errors import DataError
from lingome.data.catalog.download import download

CONTENT = bytes(range(256)) * 5000


class Server(ThreadingHTTPServer):
    """Serves CONTENT; can break off, ignore ranges, or answer with an error."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str] = []
        self.break_after: list[int] = []
        self.ignore_ranges = False
        self.status = 0
        self.content = CONTENT


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range", "")
        server.ranges.append(asked)
        if server.status:
            self.send_error(server.status)
            return
        start = int(asked[6:-1]) if asked and not server.ignore_ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.break_after.pop(0)] if server.break_after else body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/x.bin"


def test_whole_and_verified(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "x.bin"
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert download(url(server), target, sha256=digest) == target
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.break_after = [1000, 500_000]
    download(url(server), tmp_path / "x.bin", wait_s=0.0)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert server.ranges == ["", "bytes=1000-", "bytes=501000-"]


def test_what_an_earlier_run_left_is_continued(server: Server, tmp_path: Path) -> None:
    server.break_after = [1234]
    with pytest.raises(DataError, match="download failed"):
        download(url(server), tmp_path / "x.bin", attempts=1)
    assert (tmp_path / "x.bin.part").stat().st_size == 1234
    assert not (tmp_path / "x.bin").exists()
    download(url(server), tmp_path / "x.bin")
    assert server.ranges[-1] == "bytes=1234-"
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ignore_ranges, server.break_after = True, [1000]
    download(url(server), tmp_path / "x.bin", wait_s=0.0)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.bin.part").write_bytes(b"x" * (len(CONTENT) + 5))
    download(url(server), tmp_path / "x.bin", wait_s=0.0)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_wrong_content_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not what it should be"):
        download(url(server), tmp_path / "x.bin", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (503, 3)])
def test_refusals_end_at_once_and_trouble_is_retried(server: Server, tmp_path: Path, status: int, asked: int) -> None:
    server.status = status
    with pytest.raises(DataError, match=str(status)):
        download(url(server), tmp_path / "x.bin", attempts=3, wait_s=0.0)
    assert len(server.ranges) == asked


def test_no_server_and_no_such_scheme(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only http"):
        download("file:///etc/passwd", tmp_path / "x")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DataError, match="cannot be reached"):
        download(f"http://127.0.0.1:{port}/x.bin", tmp_path / "x.bin")
