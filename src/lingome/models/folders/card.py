"""The model card: what a checkpoint is, how it was made and where it can be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from lingome.core.version import __version__
from lingome.models.mapping.family import Family, Kind
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.models.networks.word2vec.shape import StaticConfig
from lingome.models.registry import find_architecture
from lingome.models.shape import Shape

_TASK: dict[Kind, str] = {
    "masked_lm": "fill-mask", "causal_lm": "text-generation", "seq2seq_lm": "text2text-generation",
    "encoder": "feature-extraction", "static": "feature-extraction", "tracks": "other",
}
_AUTO: dict[Kind, str] = {"masked_lm": "MaskedLM", "causal_lm": "CausalLM", "seq2seq_lm": "Seq2SeqLM"}
_SEES: dict[Kind, str] = {
    "masked_lm": "; each token sees all others", "causal_lm": "; each token sees those before it",
}


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
        What it was trained on, one per line.
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

    def render(self, config: Shape, family: Family, tokenizer: str, n_parameters: int, note: str = "") -> str:
        """Write the card: a YAML header, then Markdown.

        Parameters
        ----------
        config : shape
            The model's.
        family : Family
            The kind of folder.
        tokenizer : str
            The tokenizer's kind.
        n_parameters : int
            Shared ones once.
        note : str
            What others must know to use the tokenizer.
        """
        classifier = bool(config.label_names)
        kind = {"causal_lm": " decoder", "seq2seq_lm": "n encoder and decoder", "tracks": " model of tracks"}
        summary = self.summary or f"A{kind.get(family.kind, 'n encoder')} of DNA sequence made with lingome."
        header = {
            "license": self.licence,
            "library_name": "lingome" if classifier and not _is_foreign(config, family) else family.library,
            "pipeline_tag": "text-classification" if classifier else _TASK[family.kind],
            "tags": list(self.tags),
        }
        shape = f"{_shape(config, family)}; {n_parameters:,} parameters; {tokenizer} tokenizer with "
        shape += f"{config.vocab_size} " + ("rows of the embedding." if family.spare_rows else "tokens.")
        shape += f"\n\n{note}" if note else ""
        parts = [f"# {self.title}", summary, "## Shape", shape, "## Use", _use(config, family)]
        if self.data:
            parts += ["## Data", "\n".join(f"- {line}" for line in self.data)]
        if self.training:
            rows = "\n".join(f"| {_cell(name)} | {_cell(value)} |" for name, value in self.training.items())
            parts += ["## Training", f"| setting | value |\n| --- | --- |\n{rows}"]
        if self.limits:
            parts += ["## Limits", "\n".join(f"- {line}" for line in self.limits)]
        text = "\n\n".join([*parts, f"Written by lingome {__version__}."])
        return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n\n{text}\n"


def _is_foreign(config: Shape, family: Family) -> bool:
    """Say whether a classifier is one that the family's own library knows."""
    return family.library != "lingome" and not family.classifier(config)[1].startswith("Lingome")


def _shape(config: Shape, family: Family) -> str:
    if isinstance(config, StaticConfig):
        algorithm = {"cbow": "CBOW", "skipgram": "skip-gram"}[config.algorithm]
        return f"A table of {config.hidden_size} numbers per token, the same in any context (Word2Vec, {algorithm})"
    second = config.n_decoder_layers if isinstance(config, EncoderDecoderConfig) and not config.label_names else 0
    layers = f"{config.n_layers} and {second}" if second else str(config.n_layers)
    said = [f"{layers} layers of {config.hidden_size}"]
    if heads := getattr(config, "n_heads", 0):
        shared = getattr(config, "n_kv_heads", 0)
        said.append(f"{heads} heads" + (f" ({shared} of keys and values)" if shared not in (0, heads) else ""))
    if isinstance(config, EncoderDecoderConfig):
        said[-1] += f" of {config.head_size}"
    ffn, positions, norm = (getattr(config, name, None) for name in ("ffn", "positions", "norm"))
    said.append(f"feed-forward {getattr(config, 'ffn_size', '')}" + (f" ({ffn})" if ffn else ""))
    said.append((f"{positions} positions " if positions else "") + f"up to {config.max_positions} tokens")
    said += [f"{norm}-norm" if norm in ("pre", "post") else f"{norm} norm"] if norm else []
    reach = getattr(config, "reach", None)
    sees = _SEES.get(family.kind, "") if reach is None else f"; each token sees {reach} to either side"
    return f"{find_architecture(config).name}: {', '.join(said)}{sees}"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _use(config: Shape, family: Family) -> str:
    label_names = config.label_names
    text = '```python\nimport lingome as lg\n\nmodel = lg.load("this-folder")\n```\n\n'
    if label_names:
        text += f"Classes, in the order of the logits: {', '.join(label_names)}. "
        if _is_foreign(config, family):
            return text + "It also loads with `transformers.AutoModelForSequenceClassification.from_pretrained`."
        text += (
            "The head is one linear layer on the mean over real tokens (without `[PAD]`, `[CLS]`, `[SEP]`), which no "
            "class of transformers computes, so only lingome loads it."
        )
        if family.library == "transformers":
            body = family.architecture if family.kind == "encoder" else "AutoModel"
            text += f"\nThe body loads with `transformers.{body}.from_pretrained`, which reports the head as unused."
        return text
    if family.kind == "static":
        return text + (
            "`lingome embed -m this-folder` gives the mean of a sequence's vectors, `lingome finetune -m this-folder "
            "method=features` a classifier on it. Special tokens, and tokens that training did not see, have zeros."
        )
    if family.library == "lingome":
        return text + "transformers has no architecture of this shape; the folder loads in lingome alone."
    if family.kind == "encoder":
        return text + f"It also loads with `transformers.{family.architecture}.from_pretrained`, with equal states."
    kind = _AUTO[family.kind]
    return text + f"It also loads with `transformers.AutoModelFor{kind}.from_pretrained`, with equal logits."
