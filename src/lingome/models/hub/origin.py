"""What a downloaded model says about where it came from: ``hub.json`` beside its ``config.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError

ORIGIN = "hub.json"


def read_origin(folder: Path) -> dict[str, Any]:
    """Read where a model folder was downloaded from.

    Parameters
    ----------
    folder : Path
        The folder of a model.

    Returns
    -------
    dict
        Empty for a folder that did not come from the hub. Otherwise ``hub`` (``OWNER/NAME``), ``asked`` (the revision
        that was asked for, or None), ``commit`` (40 hex digits), ``endpoint`` (address of the hub), ``licence`` (as
        the hub says it, or None), ``digest`` (sha256 of the weights in this folder) and ``files``: size in bytes and
        sha256 of every file that was downloaded, by its name.

    Raises
    ------
    CheckpointError
        If the file is there and cannot be read.
    """
    file = folder / ORIGIN
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        sizes = {name: int(said["size_bytes"]) for name, said in content["files"].items()}
        if not isinstance(content["commit"], str) or not sizes:
            raise ValueError("no commit, or no files")
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError("what is said of the model's origin cannot be read", where=file, got=repr(error)[:200],
                              hint="delete the folder, and the model is downloaded again") from error
    return dict(content)
