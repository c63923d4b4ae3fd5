"""An unfinished byte-pair training, as one file: its merges are all that is needed to go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lingome.core.errors import ConfigError, DataError
from lingome.core.files import explain_os_errors, write_text

Row = Mapping[str, Any]


class UnfinishedTraining:
    """Where a training that was interrupted is kept: a folder beside its output, ``NAME.unfinished``.

    Parameters
    ----------
    out : Path
        The folder that the training is to write.
    facts : mapping
        Settings that must be the same to go on.
    """

    def __init__(self, out: Path, facts: Row) -> None:
        self.folder = out.with_name(f"{out.name}.unfinished")
        self.file = self.folder / "merges.json"
        self.facts = dict(facts)

    def save(self, merges: Sequence[Row], digests: Sequence[str]) -> None:
        """Write the merges so far, with the digests of the sequence they were learnt from."""
        with explain_os_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        content = {"settings": self.facts, "digests": list(digests), "merges": [dict(row) for row in merges]}
        write_text(self.file, json.dumps({**content, "sha256": _digest(content)}) + "\n")

    def load(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If there is nothing to go on with, or the file is damaged.
        ConfigError
            If it was begun with other settings.
        """
        if not self.file.is_file():
            raise DataError(
                "there is no unfinished training", where=self.folder, hint="leave out --resume to start one"
            )
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            if content.pop("sha256") != _digest(content):
                raise ValueError("its content changed since it was written")
            merges = [
                {name: kind(row[name]) for name, kind in
                 (("left", str), ("right", str), ("count", int), ("margin", int))}
                for row in content["merges"]
            ]
            facts = dict(content["settings"])
            digests = [str(digest) for digest in content["digests"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "the unfinished training cannot be read", where=self.file, got=error,
                hint="remove it, and start again without --resume",
            ) from error
        changed = [name for name, value in self.facts.items() if facts.get(name) != value]
        if changed:
            raise ConfigError(
                "a training goes on with the settings it began with", where=", ".join(changed),
                got={name: self.facts[name] for name in changed}, expected={name: facts.get(name) for name in changed},
            )
        return merges, digests

    def remove(self) -> None:
        """Take away what `save` wrote, once the vocabulary is; a folder that holds anything else stays."""
        with suppress(OSError):
            self.file.unlink()
            self.folder.rmdir()


def _digest(content: Row) -> str:
    """Compute the sha256 of what is kept, so that a merge that was changed is not gone on from."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
