"""Ask the hub what a repository holds, and say in one line what is wrong when it does not answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from lingome.core.errors import CheckpointError, DataError
from lingome.models.folders.old_weights import BIN_INDEX
from lingome.models.hub.reference import Reference
from lingome.models.mapping.weight_files import INDEX, WEIGHTS

PICKLE = "pytorch_model.bin"
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "encoder.json", "vocab.bpe", "spiece.model", "tokenizer.model",
)
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_OLD_SHARD = re.compile(r"pytorch_model-\d{5}-of-\d{5}\.bin")


class Unreachable(DataError):
    """The hub does not answer: a copy in the cache may do."""


class RemoteFile(NamedTuple):
    """A file of a repository.

    Parameters
    ----------
    name : str
        Without a folder.
    size_bytes : int
        Its size.
    digest : str
        Its sha256 (64 hex digits) where the hub stores it as a large file, otherwise git's sha1 (40 hex digits).
    """

    name: str
    size_bytes: int
    digest: str


class Listing(NamedTuple):
    """What is downloaded of a repository.

    Parameters
    ----------
    commit : str
        40 hex digits.
    licence : str, optional
        As the hub says it; None where nothing is said.
    files : tuple of RemoteFile
        Those that a model needs, and its card.
    """

    commit: str
    licence: str | None
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int:
        """Size of all files."""
        return sum(file.size_bytes for file in self.files)


def endpoint() -> str:
    """Give the address of the hub: ``$HF_ENDPOINT``, or huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or "https://huggingface.co"


def list_repository(reference: Reference) -> Listing:
    """Ask the hub for a repository's commit, licence and files.

    Raises
    ------
    CheckpointError
        If there is no such repository or revision, its owner has not let the user in, or it holds no model that can
        be read.
    DataError
        If the hub cannot be reached, or asks to wait.
    """
    from huggingface_hub import HfApi

    with explain_hub_errors(reference):
        info = HfApi(endpoint=endpoint(), library_name="lingome").model_info(
            reference.repository, revision=reference.revision, files_metadata=True, timeout=60
        )
    files = {
        sibling.rfilename: RemoteFile(
            sibling.rfilename, sibling.size or 0, sibling.lfs.sha256 if sibling.lfs else sibling.blob_id or ""
        )
        for sibling in info.siblings or ()
    }
    chosen = choose_files(list(files), reference)
    if not info.sha or not all(files[name].digest for name in chosen):
        raise DataError("the answer of the hub lacks the commit, or digests of files", where=reference,
                        got=endpoint(), hint="look at HF_ENDPOINT: this address may not be a hub")
    return Listing(info.sha, _licence(info), tuple(files[name] for name in chosen))


def choose_files(names: Sequence[str], reference: Reference) -> list[str]:
    """Choose the files to download: shape, weights in one format, tokenizer, card; never code.

    Safetensors come first, in one file or in shards; pickles only where there are none.

    Parameters
    ----------
    names : sequence of str
        Every file of the repository.
    reference : Reference
        Named in errors.

    Returns
    -------
    list of str
        ``config.json`` first, the weights last.

    Raises
    ------
    CheckpointError
        If there is no ``config.json``, or no weights of a format that is read.
    """
    if "config.json" not in names:
        raise CheckpointError("this repository holds no model: it has no config.json", where=reference,
                              got=", ".join(sorted(names)[:6]) or "no files")
    weights: list[str] = []
    if WEIGHTS in names:
        weights = [WEIGHTS]
    elif INDEX in names:
        weights = [INDEX, *sorted(name for name in names if _SHARD.fullmatch(name))]
    elif PICKLE in names:
        weights = [PICKLE]
    elif BIN_INDEX in names:
        weights = [BIN_INDEX, *sorted(name for name in names if _OLD_SHARD.fullmatch(name))]
    if not weights:
        raise CheckpointError("this repository holds no weights that are read", where=reference,
                              got=", ".join(sorted(names)[:6]), expected=f"{WEIGHTS}, {INDEX}, {PICKLE}",
                              hint="an older file of weights: download it, then lingome model import FILE -o FOLDER")
    first = [name for name in ("README.md", *TOKENIZER_FILES) if name in names]
    return ["config.json", *first, *weights]


def are_pickled(listing: Listing) -> bool:
    """Say whether a repository's weights are pickles, which are converted."""
    return listing.files[-1].name.endswith(".bin")


@contextmanager
def explain_hub_errors(reference: Reference) -> Iterator[None]:
    """Turn what the hub or the network answers into one error that says what to try.

    Raises
    ------
    CheckpointError
        If the repository, revision or file is missing, or the user may not read it.
    DataError
        If the hub asks to wait, fails, or does not answer.
    """
    from huggingface_hub import errors
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client it uses, whose name changes

    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise Unreachable("the network is off limits", where=reference,
                          hint="unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE") from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError("the repository has no such revision", where=reference, got=reference.revision,
                              hint="leave out @REVISION, or look at its branches and tags on the hub") from error
    except errors.HfHubHTTPError as error:
        raise _refusal(reference, error) from error
    except (HTTPError, OSError) as error:
        raise Unreachable("the hub cannot be reached", where=reference, got=f"{endpoint()}: {_first_line(error)}",
                          hint="look at the network, the proxy and HF_ENDPOINT; then try again") from error


def _refusal(reference: Reference, error: Any) -> DataError:
    """Say what a status of HTTP means; `error` is a `huggingface_hub.errors.HfHubHTTPError`."""
    from huggingface_hub import errors

    status = error.response.status_code
    page = f"{endpoint()}/{reference.repository}"
    if isinstance(error, errors.GatedRepoError) or status == 403:
        return CheckpointError(
            "the owner of this model asks for consent or a token before it is downloaded", where=reference,
            got=f"status {status}", hint=f"accept the terms at {page}, then set HF_TOKEN (or run: hf auth login)",
        )
    if status in (401, 404):
        return CheckpointError(
            "the hub has no such model, or it is private", where=reference, got=f"status {status}",
            hint=f"look at {page}; of a private model, set HF_TOKEN to a token that may read it",
        )
    if status == 429:
        wait = error.response.headers.get("Retry-After", "")
        after = f"wait {wait} seconds" if wait.isdigit() else "wait some minutes"
        return Unreachable("the hub got too many requests from here", where=reference, got="status 429",
                           hint=f"{after}, then try again; with a token (HF_TOKEN) more are allowed")
    if status >= 500:
        return Unreachable("the hub has a fault", where=reference, got=f"status {status}", hint="try again later")
    return DataError("the hub refuses", where=reference, got=f"status {status}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def _licence(info: Any) -> str | None:
    """Give the licence of a `huggingface_hub.ModelInfo`: from its card, or its tags."""
    said = getattr(info.card_data, "license", None) if info.card_data else None
    if said == "other":
        said = getattr(info.card_data, "license_name", None) or said
    if isinstance(said, list):
        said = ", ".join(str(one) for one in said)
    tags = [tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")]
    return str(said) if said else next(iter(tags), None)
