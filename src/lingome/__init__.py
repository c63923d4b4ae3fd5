"""lingome: a workbench for the language models of biology.

``import lingome as lg`` is the Python front door. Names are imported when they are first used, so that the import
itself takes no time; see ``docs/api.md``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lingome.core.version import __version__ as __version__

if TYPE_CHECKING:
    from lingome.api.evaluate import Evaluation, evaluate
    from lingome.api.finetune import Fit, finetune
    from lingome.api.genome import fetch, open_genome
    from lingome.api.model import Model, list_models, load
    from lingome.api.pretrain import pretrain
    from lingome.api.progress import show_progress
    from lingome.api.report import report
    from lingome.api.scores import Scores
    from lingome.api.task import Task
    from lingome.api.tokenizer import load_tokenizer, train_bpe
    from lingome.core.errors import LingomeError
    from lingome.data.genome import Genome

__all__ = [
    "Evaluation", "Fit", "Genome", "LingomeError", "Model", "Scores", "Task",
    "evaluate", "fetch", "finetune", "list_models", "load", "load_tokenizer", "open_genome", "pretrain", "report",
    "show_progress", "train_bpe",
]

_HOMES = {
    "Evaluation": "lingome.api.evaluate", "evaluate": "lingome.evaluate",
    "Fit": "lingome.api.finetune", "finetune": "lingome.api.finetune",
    "fetch": "lingome.api.genome", "open_genome": "lingome.api.genome", "Genome": "lingome.data.genome",
    "Model": "lingome.api.model", "load": "lingome.api.model", "list_models": "lingome.api.model",
    "pretrain": "lingome.api.pretrain",
    "report": "lingome.report",
    "Scores": "lingome.api.scores",
    "show_progress": "lingome.api.progress",
    "Task": "lingome.api.task",
    "load_tokenizer": "lingome.api.tokenizer", "train_bpe": "lingome.api.tokenizer",
    "LingomeError": "lingome.core.errors",
}
"""The module of each name. `evaluate` and `report` are packages, which can be called as functions."""


def __getattr__(name: str) -> Any:
    """Import a name of the front door when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lingome' has no attribute {name!r}; its names are {', '.join(__all__)}")
    importlib.import_module("lingome.api.progress").listen()
    module = importlib.import_module(_HOMES[name])
    value = module if _HOMES[name] == f"lingome.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the names of the front door."""
    return sorted({*__all__, *globals()})
