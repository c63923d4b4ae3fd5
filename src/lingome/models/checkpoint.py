"""Save and load models as Hugging Face folders; never a pickle.

::

    config.json             the shape, under the names that transformers reads
    model.safetensors       the weights
    tokenizer.json ...      the tokenizer
    README.md               the model card
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from lingome.core.errors import CheckpointError
from lingome.core.files import atomic_folder
from lingome.models.card import ModelCard
from lingome.models.decoder import CausalLM
from lingome.models.interop import find_family, from_config_json, from_file, to_config_json, to_file
from lingome.models.shapes import DecoderConfig, SavedShape, Shape, StaticConfig
from lingome.models.transformer import Body, MaskedLM, SequenceClassifier, build_body
from lingome.models.word2vec import StaticEmbeddings
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer

M = TypeVar("M", bound=nn.Module)
S = TypeVar("S", bound=SavedShape)
Model: TypeAlias = MaskedLM | SequenceClassifier | StaticEmbeddings | CausalLM
Dtype = Literal["float32", "float16", "bfloat16"]


def save_checkpoint(
    folder: Path,
    model: Model,
    tokenizer: Tokenizer,
    card: ModelCard | None = None,
    *,
    dtype: Dtype = "float32",
    force: bool = False,
) -> None:
    """Write a model and its tokenizer as one folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        The folder to make.
    model : MaskedLM, SequenceClassifier, StaticEmbeddings or CausalLM
        The model, on any device.
    tokenizer : Tokenizer
        Its tokenizer.
    card : ModelCard, optional
        What the README says beside shape and use.
    dtype : {"float32", "float16", "bfloat16"}
        How weights are stored; they are float32 again when loaded.
    force : bool
        Whether to replace a folder that exists.

    Raises
    ------
    CheckpointError
        If the tokenizer does not fit the model, or weights are not finite in `dtype`.
    DataError
        If the folder exists and `force` is false, or cannot be written.
    """
    with atomic_folder(folder, force=force) as temporary:
        write_checkpoint(temporary, model, tokenizer, card, dtype=dtype)


def write_checkpoint(
    folder: Path,
    model: Model,
    tokenizer: Tokenizer,
    card: ModelCard | None = None,
    *,
    dtype: Dtype = "float32",
) -> None:
    """Write the files of `save_checkpoint` into a folder that exists, which the caller moves into place."""
    config = model.config
    _check_tokenizer(tokenizer, config, folder)
    storage = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[dtype]
    tensors = {}
    whole = _Holder(model) if isinstance(model, StaticEmbeddings) else model
    for name, tensor in to_file(whole.state_dict(), config).items():
        # A copy each: the format refuses tensors that share memory, as the parts of one matrix do.
        tensors[name] = tensor.detach().to("cpu", storage, copy=True).contiguous()
        if not bool(tensors[name].isfinite().all()):
            raise CheckpointError("the model has weights that are not finite numbers", where=name, expected=dtype,
                                  hint="training diverged: use a lower learning rate; or store as float32")
    content = json.dumps(to_config_json(config, dtype), indent=2)
    (folder / "config.json").write_text(content + "\n", encoding="utf-8")
    # Through bytes, because the library's own writer hides a full disk behind another kind of error.
    (folder / "model.safetensors").write_bytes(safetensors.torch.save(tensors, metadata={"format": "pt"}))
    tokenizer.save(folder)
    n_parameters = sum(tensor.numel() for tensor in tensors.values())
    note = tokenizer.config_extras().get("lingome_note", "")
    text = (card or ModelCard()).render(config, find_family(config), tokenizer.kind, n_parameters, note)
    (folder / "README.md").write_text(text, encoding="utf-8")


def load_masked_lm(folder: Path) -> tuple[MaskedLM, Tokenizer]:
    """Load a masked language model and its tokenizer, on the CPU, in float32, in evaluation mode.

    Raises
    ------
    CheckpointError
        If the folder is incomplete or corrupt, holds another kind of model, or its parts do not fit.
    """
    tokenizer, config = _read_encoder(folder)
    if config.label_names:
        raise CheckpointError("this is a classifier, not a masked language model", where=folder,
                              got=f"classes {', '.join(config.label_names)}",
                              hint="give the folder of the pre-trained model")
    if isinstance(config, StaticConfig):
        raise CheckpointError("this is a table of static vectors, not a masked language model: it guesses nothing",
                              where=folder, hint="lingome embed and lingome finetune method=features take it")
    model = _filled(MaskedLM, config, folder)
    if config.tie_head:
        model.head.decoder.weight = model.body.tokens.weight
    return model, tokenizer


def load_causal_lm(folder: Path) -> tuple[CausalLM, Tokenizer]:
    """Load a causal language model and its tokenizer, on the CPU, in float32, in evaluation mode.

    Raises
    ------
    CheckpointError
        If the folder is incomplete or corrupt, holds another kind of model, or its parts do not fit.
    """
    tokenizer, config = _read_shape(folder)
    if not isinstance(config, DecoderConfig):
        raise CheckpointError("this is not a causal language model: it does not guess the next token", where=folder,
                              got=f"a {find_family(config)} model", expected="a decoder, as gpt2 or llama")
    model = _filled(CausalLM, config, folder)
    if config.tie_head:
        model.head.weight = model.body.tokens.weight
    return model, tokenizer


def load_classifier(folder: Path) -> tuple[SequenceClassifier, Tokenizer]:
    """Load a classifier and its tokenizer, on the CPU, in float32, in evaluation mode.

    Raises
    ------
    CheckpointError
        If the folder is incomplete or corrupt, holds another kind of model, or its parts do not fit.
    """
    tokenizer, config = _read_encoder(folder)
    if not config.label_names:
        raise CheckpointError("this is not a lingome classifier", where=folder, got=f"a {find_family(config)} model",
                              hint="fine-tune it first with lingome finetune")
    return _filled(SequenceClassifier, config, folder), tokenizer


def load_body(folder: Path) -> tuple[Body, Tokenizer]:
    """Load the body alone, from a masked language model, a classifier, static vectors or a bare encoder.

    Raises
    ------
    CheckpointError
        If the folder is incomplete or corrupt, or its parts do not fit.
    """
    tokenizer, config = _read_encoder(folder)
    bare = dataclasses.replace(config, label_names=())
    return _filled(lambda shape: _Holder(build_body(shape)), bare, folder, body_only=True).body, tokenizer


class _Holder(nn.Module):
    """A body under the name it has in whole models."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body


def _filled(kind: Callable[[S], M], config: S, folder: Path, *, body_only: bool = False) -> M:
    """Build a model without weights, and give it those of the file."""
    with torch.device("meta"):
        model = kind(config)
    file = folder / "model.safetensors"
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    state = from_file(_read_tensors(file), shapes, config, file, body_only=body_only)
    model.load_state_dict(state, strict=True, assign=True)
    model.requires_grad_(True)
    model.eval()
    return model


def _read_encoder(folder: Path) -> tuple[Tokenizer, Shape]:
    tokenizer, config = _read_shape(folder)
    if isinstance(config, DecoderConfig):
        raise CheckpointError("this is a causal language model, which guesses the next token", where=folder,
                              got=f"a {find_family(config)} model", expected="an encoder",
                              hint="lingome.models.checkpoint.load_causal_lm reads it")
    return tokenizer, config


def _read_shape(folder: Path) -> tuple[Tokenizer, SavedShape]:
    file = folder / "config.json"
    if not folder.is_dir():
        raise CheckpointError("there is no such model folder", where=folder)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError("the model folder has no config.json", where=folder,
                              expected="config.json, model.safetensors, tokenizer.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("config.json cannot be read", where=file, got=error) from error
    if not isinstance(content, dict):
        raise CheckpointError("config.json holds names and values", where=file, got=type(content).__name__)
    config = from_config_json(content, file)
    tokenizer = load_tokenizer(folder)
    _check_tokenizer(tokenizer, config, folder)
    if isinstance(config, DecoderConfig):
        begin, end = tokenizer.cls_id, tokenizer.sep_id
        return tokenizer, dataclasses.replace(config, pad_id=tokenizer.pad_id, bos_id=begin, eos_id=end)
    config = dataclasses.replace(
        config, pad_id=tokenizer.pad_id, cls_id=tokenizer.cls_id, sep_id=tokenizer.sep_id
    )
    return tokenizer, config


def _check_tokenizer(tokenizer: Tokenizer, config: SavedShape, folder: Path) -> None:
    if tokenizer.vocab_size != config.vocab_size:
        raise CheckpointError(
            "the tokenizer does not fit the model", where=folder, got=f"a tokenizer with {tokenizer.vocab_size} tokens",
            expected=f"{config.vocab_size}, the model's vocabulary", hint="use the tokenizer of its training",
        )


def _read_tensors(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        pickled = (file.parent / "pytorch_model.bin").exists()
        hint = "pytorch_model.bin is a pickle, which is never read: save it again with transformers' save_pretrained"
        raise CheckpointError("the weights are missing", where=file, hint=hint if pickled else None)
    try:
        return dict(safetensors.torch.load_file(file))
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError("the weights cannot be read: the file is damaged or cut short", where=file, got=error,
                              hint="copy the folder again, or train again") from error
