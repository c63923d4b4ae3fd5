"""The files of a token store, as they lie in its folder.

::

    manifest.json       version, digests, where each record's tokens are, totals; written last
    tokens-00000.npy    ids, whole records one after the other; then tokens-00001.npy ...
    segments.npy        stretches between N, int64 (5, S): record, first token, end of tokens, first base, end
    anchors.npy         base at which every 4,096th token begins, int64
    tokenizer files     as `Tokenizer.save` writes them, so that the store needs no other folder

Every array is plain ``.npy``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

FORMAT = "lingome token store"
VERSION = 1
MANIFEST = "manifest.json"
SEGMENTS = "segments.npy"
ANCHORS = "anchors.npy"


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Compute the sha256 of everything else that a manifest says."""
    content = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def raw_bytes(array: np.ndarray) -> memoryview:
    """Give the bytes of an array of any shape, without a copy if they lie in one piece."""
    raw: memoryview = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    return raw
