"""Every workflow by name, with its summary; its settings are imported only when it is asked for.

This list is all that ``lingome --help`` reads.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lingome.core.errors import ConfigError

if TYPE_CHECKING:
    from lingome.config.workflow import Workflow


@dataclass(frozen=True)
class Listed:
    """A workflow in the list.

    Parameters
    ----------
    module : str
        The file in ``config/`` that holds its value, as ``pretrain`` or ``tokens/choose``.
    value : str
        The value's name in that file.
    summary : str
        What it does, in one sentence.
    """

    module: str
    value: str
    summary: str


GROUPS = {
    "data": "List, fetch and check data.",
    "tokens": "Train, choose and apply vocabularies.",
    "model": "List, look at, count, import and export models.",
}
"""First words of the workflows whose names have two."""

WORKFLOWS = {
    "demo": Listed("demo", "WORKFLOW", "Go from a genome to an answered question with one command."),
    "doctor": Listed("doctor", "WORKFLOW", "Say what this machine has, and whether lingome works on it."),
    "data list": Listed("data", "LIST", "List the public data sets that lingome knows, and which of them are here."),
    "data fetch": Listed("data", "FETCH", "Get data sets by name, verify them, and print where they lie."),
    "data check": Listed("data", "CHECK", "Say what a file holds, what is left out and why, and what is wrong."),
    "tokens train": Listed("tokens/train", "TRAIN", "Learn a byte-pair vocabulary, or write one of k-mers or letters."),
    "tokens show": Listed("tokens/train", "SHOW", "Print a vocabulary: length, GC, use and merge of each token."),
    "tokens choose": Listed("tokens/choose", "WORKFLOW", "Compare vocabularies on a genome, and recommend one."),
    "tokens encode": Listed("tokens/encode", "WORKFLOW", "Turn sequences into tokens."),
    "tokens inspect": Listed(
        "tokens/inspect", "WORKFLOW", "Describe every token: use, letters, strands, annotation, merges."
    ),
    "tokens vectors": Listed("tokens/vectors", "WORKFLOW", "Learn one vector per token (Word2Vec) from a genome."),
    "model list": Listed(
        "model/look", "LIST", "List the models that lingome knows: with weights, as shapes, or to count."
    ),
    "model show": Listed("model/look", "SHOW", "Say what a model is: shape, tokenizer, files, and what it has seen."),
    "model count": Listed("model/look", "COUNT", "Count a model's parameters, row by row."),
    "model import": Listed("model/importing", "WORKFLOW", "Turn a model that others published into a lingome folder."),
    "model export": Listed("model/exporting", "WORKFLOW", "Write a model for others to load."),
    "pretrain": Listed("pretrain", "WORKFLOW", "Pre-train a language model on sequence."),
    "finetune": Listed("finetune", "WORKFLOW", "Fine-tune a model on labelled sequences, and compare baselines."),
    "evaluate": Listed("evaluate", "WORKFLOW", "Measure a model and its baselines, with intervals and a leak check."),
    "predict": Listed("predict", "WORKFLOW", "Score sequences, windows or motif sites with a fine-tuned model."),
    "score": Listed("score", "WORKFLOW", "Say how likely a model finds sequences, variants or mutations."),
    "embed": Listed("embed", "WORKFLOW", "Turn sequences into vectors."),
    "generate": Listed("generate", "WORKFLOW", "Write sequence with a causal language model."),
    "report": Listed("report", "WORKFLOW", "Write the page of a run: one HTML file that needs nothing else."),
    "config": Listed("config", "WORKFLOW", "Print every setting of a command, as a YAML file with comments."),
}


def load_workflow(name: str) -> Workflow:
    """Import one workflow's value.

    Raises
    ------
    ConfigError
        If there is no workflow of this name.
    """
    if name not in WORKFLOWS:
        import difflib

        close = difflib.get_close_matches(name, WORKFLOWS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(WORKFLOWS)}"
        raise ConfigError(f"there is no command {name!r}", hint=hint)
    listed = WORKFLOWS[name]
    module = importlib.import_module(f"lingome.config.{listed.module.replace('/', '.')}")
    workflow: Workflow = getattr(module, listed.value)
    return workflow


def load_workflows() -> list[Workflow]:
    """Import the values of all workflows, in the order of the list."""
    return [load_workflow(name) for name in WORKFLOWS]
