"""Download a file: with a bar, going on where a broken one stopped, verified, whole or not at all."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from lingome.core.errors import DataError
from lingome.core.files import digest_file, explain_os_errors
from lingome.core.progress import track

TIMEOUT_S = 60
ATTEMPTS = 4
_BLOCK = 1 << 18


def download(
    url: str, target: Path, *, sha256: str = "", headers: Mapping[str, str] | None = None, attempts: int = ATTEMPTS,
    wait_s: float = 1.0,
) -> Path:
    """Download to `target`; what is half there (``target.part``) is continued.

    Parameters
    ----------
    url : str
        http or https.
    target : Path
        Where the whole file goes.
    sha256 : str
        Expected digest of the file, where known.
    headers : mapping, optional
        More headers of the request, as a token; they are not sent to an address that the server redirects to.
    attempts : int
        How often a broken connection is taken up again.
    wait_s : float
        Seconds before the second attempt; doubled after each.

    Raises
    ------
    DataError
        If the server refuses, the connection breaks `attempts` times, the digest differs, or the
        disk cannot be written.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError("only http and https addresses are downloaded", got=url)
    part = target.with_name(target.name + ".part")
    with explain_os_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    reason: object = ""
    for attempt in range(attempts):
        if attempt:
            time.sleep(wait_s * 2 ** (attempt - 1))
        try:
            if _receive(url, part, headers or {}):
                break
            reason = "the connection broke"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # what is half there does not fit what the server has now
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise DataError("the server refuses", where=url, got=f"{error.code} {error.reason}") from None
            reason = f"{error.code} {error.reason}"
        except urllib.error.URLError as error:
            reason = error.reason
            if not attempt or isinstance(reason, ConnectionRefusedError):  # no name, no listener: waiting is no use
                raise DataError("the server cannot be reached", where=url, got=reason) from None
        except (http.client.HTTPException, OSError) as error:
            reason = error or type(error).__name__
    else:
        raise DataError("the download failed", where=url, got=f"{reason} ({attempts} attempts)", hint="try again later")
    if sha256 and digest_file(part) != sha256:
        found = digest_file(part)
        part.unlink()
        raise DataError("what was downloaded is not what it should be", where=url, got=found, expected=sha256)
    with explain_os_errors(target):
        part.replace(target)
    return target


def _receive(url: str, part: Path, headers: Mapping[str, str]) -> bool:
    """Append to `part` what is missing; say whether it is whole now."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "lingome", "Accept-Encoding": "identity"})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        continued = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if continued else 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        with track(f"downloading {part.name.removesuffix('.part')}", total, "bytes") as task:
            task.advance(have)
            with explain_os_errors(part), part.open("ab" if continued else "wb") as handle:
                while block := response.read(_BLOCK):
                    handle.write(block)
                    have += len(block)
                    task.advance(len(block))
    return total is None or have >= total
