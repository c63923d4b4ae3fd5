"""How a model of the hub is named: ``hub:OWNER/NAME`` or ``hub:OWNER/NAME@REVISION``."""

from __future__ import annotations

import re
from typing import NamedTuple

from lingome.core.errors import ConfigError

HUB = "hub:"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,95}[A-Za-z0-9_-])?"
_NAME = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,254}[A-Za-z0-9_-])?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Reference(NamedTuple):
    """A model of the hub.

    Parameters
    ----------
    repository : str
        ``OWNER/NAME``.
    revision : str, optional
        Branch, tag or commit; None for the hub's default branch.
    """

    repository: str
    revision: str | None

    def __str__(self) -> str:
        return f"{HUB}{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a whole commit, which always names the same files."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None


def parse_reference(text: str) -> Reference:
    """Read ``hub:OWNER/NAME[@REVISION]``.

    Raises
    ------
    ConfigError
        If it is not written so.
    """
    repository, at, revision = text.removeprefix(HUB).partition("@")
    named = text.startswith(HUB) and _NAME.fullmatch(repository) is not None
    sound = ".." not in text and "--" not in repository and (not at or _REVISION.fullmatch(revision) is not None)
    if not named or not sound:
        raise ConfigError("this does not name a model of the hub", got=text, expected="hub:OWNER/NAME, or "
                          "hub:OWNER/NAME@REVISION with a branch, a tag or a commit",
                          hint="for example hub:InstaDeepAI/nucleotide-transformer-v2-50m-multi-species")
    return Reference(repository, revision or None)
