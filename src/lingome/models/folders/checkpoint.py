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
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar, cast, overload

import safetensors.torch
import torch
from torch import Tensor, nn

from lingome.core.errors import CheckpointError
from lingome.core.files import atomic_folder, read_json_object
from lingome.models.architecture import Body, CausalModel
from lingome.models.folders.card import ModelCard
from lingome.models.folders.families import find_family, from_config_json, read_family, to_config_json
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.language_model import LanguageModel
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.mapping.family import Family
from lingome.models.mapping.weight_files import WEIGHTS, read_weights
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.tracks.model import Tracks
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.networks.word2vec.model import StaticEmbeddings
from lingome.models.registry import build_body, find_architecture, shape_of
from lingome.models.shape import Shape
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.tokenizer import Tokenizer

M = TypeVar("M", bound=nn.Module)
S = TypeVar("S", bound=Shape)
Dtype = Literal["float32", "float16", "bfloat16"]
Promise = Literal[
    "whole", "body", "language_model", "masked_lm", "causal_lm", "seq2seq_lm", "tracks", "classifier"
]
"""What a caller needs of a checkpoint, see `load_checkpoint`."""
_SAYS: dict[Promise, tuple[str, str | None]] = {
    "masked_lm": ("a masked language model", "an encoder, as bert"),
    "causal_lm": ("a causal language model: it does not guess the next token", "a decoder, as gpt2, or hyenadna"),
    "seq2seq_lm": ("an encoder-decoder, which writes a second sequence", "t5, with its decoder"),
    "tracks": ("a model of tracks", None),
}


def save_checkpoint(
    folder: Path,
    model: nn.Module,
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
    model : Module
        A model of any architecture, or a body alone, on any device; its ``config`` says what it is.
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
    model: nn.Module,
    tokenizer: Tokenizer,
    card: ModelCard | None = None,
    *,
    dtype: Dtype = "float32",
) -> None:
    """Write the files of `save_checkpoint` into a folder that exists, which the caller moves into place.

    Parameters
    ----------
    folder : Path
        It exists, and is empty.
    model, tokenizer, card, dtype
        As in `save_checkpoint`.

    Raises
    ------
    CheckpointError
        If the tokenizer does not fit the model, or weights are not finite in `dtype`.
    """
    config = cast(Any, model).config
    family = find_family(config)
    check_tokenizer(tokenizer, config, family, folder)
    storage = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[dtype]
    tensors = {}
    for name, tensor in family.to_file(_whole(model).state_dict(), config).items():
        # A copy each: the format refuses tensors that share memory, as the parts of one matrix do.
        tensors[name] = tensor.detach().to("cpu", storage, copy=True).contiguous()
        if not bool(tensors[name].isfinite().all()):
            raise CheckpointError("the model has weights that are not finite numbers", where=name, expected=dtype,
                                  hint="training diverged: use a lower learning rate; or store as float32")
    content = json.dumps(to_config_json(config, dtype), indent=2)
    (folder / "config.json").write_text(content + "\n", encoding="utf-8")
    # Through bytes, because the library's own writer hides a full disk behind another kind of error.
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(tensors, metadata={"format": "pt"}))
    tokenizer.save(folder)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    note = tokenizer.config_extras().get("lingome_note", "")
    if isinstance(model, Body) and family.kind != "static":
        family = dataclasses.replace(family, kind="encoder", architecture="AutoModel")
    text = (card or ModelCard()).render(config, family, tokenizer.kind, n_parameters, note)
    (folder / "README.md").write_text(text, encoding="utf-8")


class Checkpoint(NamedTuple, Generic[M]):
    """A model on the CPU, in float32, in evaluation mode, and its tokenizer."""

    model: M
    tokenizer: Tokenizer


@overload
def load_checkpoint(folder: Path, promise: Literal["whole"] = "whole") -> Checkpoint[nn.Module]: ...
@overload
def load_checkpoint(folder: Path, promise: Literal["body"]) -> Checkpoint[Body]: ...
@overload
def load_checkpoint(folder: Path, promise: Literal["language_model"]) -> Checkpoint[LanguageModel]: ...
@overload
def load_checkpoint(folder: Path, promise: Literal["masked_lm"]) -> Checkpoint[MaskedLM]: ...
@overload
def load_checkpoint(folder: Path, promise: Literal["causal_lm"]) -> Checkpoint[CausalModel]: ...
@overload
def load_checkpoint(folder: Path, promise: Literal["seq2seq_lm"]) -> Checkpoint[EncoderDecoderLM]: ...
@overload
def load_checkpoint(folder: Path, promise: Literal["tracks"]) -> Checkpoint[Tracks]: ...
@overload
def load_checkpoint(folder: Path, promise: Literal["classifier"]) -> Checkpoint[SequenceClassifier]: ...
@overload
def load_checkpoint(folder: Path, promise: Promise) -> Checkpoint[Any]: ...


def load_checkpoint(folder: Path, promise: Promise = "whole") -> Checkpoint[Any]:
    """Load a model and its tokenizer from a folder, on the CPU, in float32, in evaluation mode.

    Parameters
    ----------
    folder : Path
        A Hugging Face model folder.
    promise : str
        What the caller needs; a folder that does not hold it is refused.

        ==================  ==============================================================================
        ``whole``           what the folder holds: a classifier, a language model, or a body if no more
        ``body``            the body alone, out of a model of any kind or a bare body
        ``language_model``  a model that gives tokens a probability, masked or causal
        ``masked_lm``       a masked language model
        ``causal_lm``       a causal language model
        ``seq2seq_lm``      an encoder-decoder
        ``tracks``          a model of tracks
        ``classifier``      a classifier of sequences
        ==================  ==============================================================================

    Raises
    ------
    CheckpointError
        If the folder is incomplete or corrupt, holds another kind of model, or its parts do not fit.
    """
    tokenizer, config, family = _read_shape(folder)
    if promise not in ("whole", "body", "language_model"):
        _require_kind(config, family, promise, folder)
    if promise == "body" and family.kind == "tracks":
        raise CheckpointError("this is a model of tracks: its vectors are those of bins, not of tokens", where=folder,
                              expected="a language model, a classifier or static vectors")
    tensors = read_weights(folder)
    if promise == "body":
        return Checkpoint(_fill_body(config, family, tensors, folder), tokenizer)
    if tensors and promise != "classifier" and lacks_head(tensors, config, family):
        if promise not in ("whole", "language_model"):
            raise CheckpointError("this folder holds a body alone, without the head that guesses", where=folder,
                                  got=f"the body of a {family.name} model", expected="the weights of the head too",
                                  hint="lingome embed and lingome finetune take it")
        model: nn.Module = _fill_body(config, family, tensors, folder)
    else:
        model = fill_model(find_builder(config, family), config, family, tensors, folder / WEIGHTS)
    if promise == "language_model" and not isinstance(model, LanguageModel):
        raise CheckpointError("this model gives no probability to letters", where=folder, got=_describe(model),
                              expected="a masked or a causal language model", hint=_advise(model))
    return Checkpoint(model, tokenizer)


def _fill_body(config: Shape, family: Family, tensors: Mapping[str, Tensor], folder: Path) -> Body:
    """Build the body alone; what stands outside it in the file is left unread."""
    bare = dataclasses.replace(config, label_names=())
    if isinstance(bare, DecoderConfig):
        bare = dataclasses.replace(bare, pooling="mean")  # how its classifier pools is no part of the body
    return fill_model(BodyHolder, bare, family, tensors, folder / WEIGHTS, body_only=True).body


def _describe(model: nn.Module) -> str:
    """Say what a model is that gives no probabilities, in the words of the field."""
    name = find_architecture(shape_of(model)).name
    if isinstance(model, SequenceClassifier):
        return f"a classifier: classes {', '.join(model.config.label_names)}"
    return f"{name}, the body alone" if isinstance(model, Body) and not isinstance(model, StaticEmbeddings) else name


def _advise(model: nn.Module) -> str | None:
    """Say which command takes a model that gives no probabilities."""
    if isinstance(model, SequenceClassifier):
        return "lingome predict takes it; for probabilities of letters give the folder of the pre-trained model"
    return "lingome embed and lingome finetune take it" if isinstance(model, Body | EncoderDecoderLM) else None


def find_builder(config: Shape, family: Family) -> Callable[[Any], nn.Module]:
    """Give what builds the model that a folder holds: a classifier where the shape has classes."""
    return SequenceClassifier if config.label_names else find_architecture(config).models.get(family.kind, MaskedLM)


def lacks_head(names: Container[str], config: Shape, family: Family) -> bool:
    """Say whether a file with tensors of these names holds a body alone."""
    if family.kind in ("static", "encoder") and not config.label_names:
        return True
    if family.kind == "tracks":
        return False  # its body gives vectors of bins, which nothing takes: what is missing is missing
    with torch.device("meta"):
        model = find_builder(config, family)(config)
    tied = family.tied(config)
    heads = [name for name in model.state_dict() if name.startswith("head.") and name not in tied]
    return bool(heads) and not any(theirs in names for name in heads for theirs in family.file_names(name, config))


class BodyHolder(nn.Module):
    """A body under the name it has in whole models."""

    def __init__(self, config: Shape, body: Body | None = None) -> None:
        super().__init__()
        self.body = build_body(config) if body is None else body


def _whole(model: nn.Module) -> nn.Module:
    return BodyHolder(model.config, model) if isinstance(model, Body) else model


def fill_model(
    kind: Callable[[S], M], config: S, family: Family, tensors: Mapping[str, Tensor], file: Path,
    *, body_only: bool = False,
) -> M:
    """Build a model without weights, and give it those of a file, in float32.

    Parameters
    ----------
    kind : function (shape) -> Module
        Builds the model: `MaskedLM`, `SequenceClassifier` ...
    config : shape
        Its shape.
    family : Family
        Whose names the tensors have.
    tensors : mapping
        Content of the file.
    file : Path
        Named in errors.
    body_only : bool
        Whether tensors outside the body are left unread.

    Returns
    -------
    Module
        On the CPU, in evaluation mode.

    Raises
    ------
    CheckpointError
        If tensors are missing, unexpected, of another shape, or hold numbers that are not finite; the message
        names them.
    """
    with torch.device("meta"):
        model = kind(config)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    state = family.from_file(tensors, shapes, config, file, body_only=body_only)
    bad = [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]
    if bad:
        raise CheckpointError("the weights are not all finite numbers", where=file, got=", ".join(bad[:3]),
                              hint="training had diverged, or the file is damaged")
    model.load_state_dict(state, strict=True, assign=True)
    for ours, source in family.tied(config).items():
        if ours in shapes:
            module, _, leaf = ours.rpartition(".")
            setattr(model.get_submodule(module), leaf, model.get_parameter(source))
    model.requires_grad_(True)
    model.eval()
    return model


def _require_kind(config: Shape, family: Family, promise: Promise, folder: Path) -> None:
    """Refuse a folder that holds another kind of model than was promised; say what it is and who takes it."""
    if promise == "classifier":
        if not config.label_names:
            raise CheckpointError("this is not a lingome classifier", where=folder, got=f"a {family.name} model",
                                  hint="fine-tune it first with lingome finetune")
        return
    says, expected = _SAYS[promise]
    if config.label_names:
        raise CheckpointError(f"this is a classifier, not {says}", where=folder,
                              got=f"classes {', '.join(config.label_names)}",
                              hint="give the folder of the pre-trained model")
    if family.kind == promise:
        return
    if promise == "masked_lm" and family.kind == "static":
        raise CheckpointError("this is a table of static vectors, not a masked language model: it guesses nothing",
                              where=folder, hint="lingome embed and lingome finetune method=features take it")
    if promise == "masked_lm" and family.kind == "causal_lm":
        raise CheckpointError("this is a causal language model, which guesses the next token", where=folder,
                              got=f"a {family.name} model", expected="an encoder",
                              hint="lingome generate and score take it; lingome pretrain does with objective=causal")
    hint = None
    if family.kind == "seq2seq_lm":
        hint = "it writes hidden spans after reading the rest: lingome embed and lingome finetune take its encoder"
    raise CheckpointError(f"this is not {says}", where=folder, got=f"a {family.name} model", expected=expected,
                          hint=hint)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the content of a folder's ``config.json``.

    Raises
    ------
    CheckpointError
        If it is missing or cannot be read.
    """
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
    return content


def read_tokenizer(folder: Path, family: str) -> Tokenizer:
    """Read a folder's tokenizer; a published HyenaDNA has no file of one, and reads its letters.

    Raises
    ------
    CheckpointError, DataError
        If it cannot be read, or there is none.
    """
    if family == "hyenadna" and not (folder / "tokenizer.json").is_file():
        file = folder / "tokenizer_config.json"
        if not file.is_file() or "lingome" not in read_json_object(file):
            return CharacterTokenizer(layout="hyenadna")
    return load_tokenizer(folder)


def _read_shape(folder: Path) -> tuple[Tokenizer, Shape, Family]:
    content = read_config(folder)
    file = folder / "config.json"
    family = read_family(content, file)
    config = from_config_json(content, file)
    tokenizer = read_tokenizer(folder, family.name)
    check_tokenizer(tokenizer, config, family, folder)
    return tokenizer, with_roles(config, tokenizer), family


def with_roles(config: S, tokenizer: Tokenizer) -> S:
    """Give the shape with the tokenizer's ids of padding, beginning and end, and of the mask where a model drops it."""
    roles = {"pad_id": tokenizer.pad_id, "cls_id": tokenizer.cls_id, "sep_id": tokenizer.sep_id}
    if isinstance(config, TransformerConfig) and config.token_dropout:
        roles["mask_id"] = tokenizer.mask_id
    return dataclasses.replace(config, **roles)


def check_tokenizer(tokenizer: Tokenizer, config: Shape, family: Family, where: Path) -> None:
    """Refuse a tokenizer whose vocabulary is not the model's.

    Parameters
    ----------
    tokenizer : Tokenizer
        What was found beside the weights.
    config : Shape
        The model's shape, with the rows of its embedding.
    family : Family
        Says how many rows may be without a token.
    where : Path
        Named in the message.

    Raises
    ------
    CheckpointError
        If it has more tokens than the embedding has rows, or fewer than the family leaves without a token.
    """
    if not 0 <= config.vocab_size - tokenizer.vocab_size <= family.spare_rows:
        fewer = f", or up to {family.spare_rows} fewer" if family.spare_rows else ""
        raise CheckpointError(
            "the tokenizer does not fit the model", where=where, got=f"a tokenizer with {tokenizer.vocab_size} tokens",
            expected=f"{config.vocab_size}, the model's vocabulary{fewer}", hint="use the tokenizer of its training",
        )
