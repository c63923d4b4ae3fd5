"""The model card: what a checkpoint is, how it was made and where it can be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from lingome import __version__
from lingome.models.shapes import DecoderConfig, SavedShape, StaticConfig

_LIBRARY = dict.fromkeys(("bert", "modernbert", "gpt2", "llama"), "transformers")
"""Who loads a family; the others are lingome's own."""

_TASK = {"word2vec": "feature-extraction"}


@dataclass(frozen=True)
class ModelCard:
    """What a README says beside the shape.

    Parameters
    ----------
    title : str
        A few words.
    summary : str
        What the model is for, in a sentence or two; empty for one that says what it is.
    licence : str
        SPDX name, in lower case as on the Hugging Face hub.
    tags : sequence of str
        Words to be found by.
    data : sequence of str
        What it was trained on, one a line.
    training : mapping
        Settings and results of the training, by name.
    limits : sequence of str
        What it should not be trusted with.
    """

    title: str = "A language model of DNA"
    summary: str = ""
    licence: str = "apache-2.0"
    tags: Sequence[str] = ("biology", "dna", "lingome")
    data: Sequence[str] = ()
    training: Mapping[str, object] = field(default_factory=dict)
    limits: Sequence[str] = ("For research; it gives no medical advice.",)

    def render(self, config: SavedShape, family: str, tokenizer: str, n_parameters: int, note: str = "") -> str:
        """Write the card: a YAML header, then Markdown; `note` is what others must know to use the tokenizer."""
        decoder = isinstance(config, DecoderConfig)
        label_names = () if isinstance(config, DecoderConfig) else config.label_names
        classifier = bool(label_names)
        task = "text-generation" if decoder else _TASK.get(family, "fill-mask")
        summary = self.summary or f"A{' decoder' if decoder else 'n encoder'} of DNA sequence made with lingome."
        header = {
            "license": self.licence,
            "library_name": "lingome" if classifier else _LIBRARY.get(family, "lingome"),
            "pipeline_tag": "text-classification" if classifier else task,
            "tags": list(self.tags),
        }
        shape = f"{_shape(config)}; {n_parameters:,} parameters; {tokenizer} tokenizer with {config.vocab_size} tokens."
        shape += f"\n\n{note}" if note else ""
        parts = [f"# {self.title}", summary, "## Shape", shape, "## Use", _use(family, label_names, decoder)]
        if self.data:
            parts += ["## Data", "\n".join(f"- {line}" for line in self.data)]
        if self.training:
            rows = "\n".join(f"| {_cell(name)} | {_cell(value)} |" for name, value in self.training.items())
            parts += ["## Training", f"| setting | value |\n| --- | --- |\n{rows}"]
        if self.limits:
            parts += ["## Limits", "\n".join(f"- {line}" for line in self.limits)]
        text = "\n\n".join([*parts, f"Written by lingome {__version__}."])
        return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n\n{text}\n"


def _shape(config: SavedShape) -> str:
    if isinstance(config, StaticConfig):
        algorithm = {"cbow": "CBOW", "skipgram": "skip-gram"}[config.algorithm]
        return f"A table of {config.hidden_size} numbers a token, the same in any context (Word2Vec, {algorithm})"
    if isinstance(config, DecoderConfig):
        return (
            f"{config.n_layers} layers of {config.hidden_size}, {config.n_heads} heads ({config.n_kv_heads} of keys "
            f"and values), feed-forward {config.ffn_size} ({config.ffn}), {config.positions} positions up to "
            f"{config.max_positions}, {config.norm} norm; each token sees those before it"
        )
    return (
        f"{config.n_layers} layers of {config.hidden_size}, {config.n_heads} heads, feed-forward "
        f"{config.ffn_size} ({config.ffn}), {config.positions} positions up to {config.max_positions}, "
        f"{config.norm}-norm"
    )


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _use(family: str, label_names: Sequence[str], decoder: bool) -> str:
    name = "load_classifier" if label_names else "load_body" if family == "word2vec" else "load_masked_lm"
    name = "load_causal_lm" if decoder else name
    text = (
        "```python\nfrom pathlib import Path\n\n"
        f'from lingome.models.checkpoint import {name}\n\nmodel, tokenizer = {name}(Path("this-folder"))\n```\n\n'
    )
    if label_names:
        classes = ", ".join(label_names)
        text += (
            f"Classes, in the order of the logits: {classes}. The head is one linear layer on the mean over real "
            "tokens (without `[PAD]`, `[CLS]`, `[SEP]`), which no class of transformers computes, so only lingome "
            "loads it."
        )
        if family in _LIBRARY:
            text += "\nThe body loads with `transformers.AutoModel.from_pretrained`, which reports the head as unused."
        return text
    if family == "word2vec":
        return text + (
            "`lingome embed -m this-folder` gives the mean of a sequence's vectors, `lingome finetune -m this-folder "
            "method=features` a classifier on it. Special tokens, and tokens that training did not see, have zeros."
        )
    if family not in _LIBRARY:
        return text + "transformers has no architecture of this shape; the folder loads in lingome alone."
    kind = "CausalLM" if decoder else "MaskedLM"
    return text + f"It also loads with `transformers.AutoModelFor{kind}.from_pretrained`, with equal logits."
