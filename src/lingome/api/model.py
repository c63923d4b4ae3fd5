"""A model by name: embed, score, generate, predict."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import nn

from lingome.api.embedding import cut_for_embedding, say_what_was_cut
from lingome.api.generation import Generated, gather, open_writer, write_sequences
from lingome.api.genome import as_genome
from lingome.api.scores import Scores
from lingome.api.scoring import Asked, ask, cut_variants, read_any_variants, score_changed, score_texts
from lingome.api.sequences import Sequences, read_named
from lingome.config.embed import LongPolicy, Pooling
from lingome.config.generate import GenerateSettings
from lingome.config.schema.settings import load_settings
from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.outcome import Table
from lingome.core.progress import say
from lingome.data.genome import Genome
from lingome.embed.encode import embed_pieces, embed_tokens
from lingome.models.architecture import Body, CausalModel
from lingome.models.devices import pick_device
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.language_model import LanguageModel
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.word2vec.model import StaticEmbeddings
from lingome.models.open import Opened, load_model, packaged_models
from lingome.models.presets import count_parameters
from lingome.models.reading.pieces import CUT_HINT, cut_to_fit
from lingome.models.reading.reader import Layer, Reader, ReadingPrecision
from lingome.models.registry import find_architecture, shape_of
from lingome.models.scoring.questions import is_causal
from lingome.models.scoring.scores import Strands
from lingome.tokens.advice import causal_warning
from lingome.tokens.alphabet import DNA, doubt_letters
from lingome.tokens.tokenizer import Tokenizer
from lingome.tune.predict import run_batches, softmax


def load(
    name: str | Path,
    *,
    tokenizer: str | Path | None = None,
    device: str = "auto",
    precision: ReadingPrecision = "fp32",
    batch_tokens: int | None = None,
    seed: int = 0,
) -> Model:
    """Load a model.

    Parameters
    ----------
    name : str or Path
        A packaged model (`list_models` names them), the folder of a checkpoint, a run directory,
        ``hub:OWNER/NAME[@REVISION]``, or ``random:PRESET`` for random weights.

    tokenizer : str or Path, optional
        The folder of a vocabulary, for ``random:PRESET`` only; single letters of DNA by default.
    seed : int
        Of random weights.

    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    precision : {"fp32", "bf16", "int8", "auto"}
        Of reading; ``bf16`` and ``int8`` are faster and rounded. ``int8`` is for `Model.embed` alone.
    batch_tokens : int, optional
        Tokens of a batch, by default what suits the device; results do not depend on it.

    Raises
    ------
    CheckpointError
        If there is no such model, or it cannot be used.
    ConfigError
        If there is no such preset or device, or a tokenizer is given for a model that has its own.

    Examples
    --------
    >>> import lingome as lg
    >>> model = lg.load("random:nano", device="cpu")
    >>> model.embed(["ACGT", "GATTACA"]).shape
    (2, 32)
    """
    vocabulary = None if tokenizer is None else Path(tokenizer).expanduser()
    opened = load_model(name, tokenizer=vocabulary, seed=seed)
    model = Model(opened, device=device, precision=precision, batch_tokens=batch_tokens)
    if opened.folder is None:  # the body of random weights is drawn by itself
        model.start = load_model(name, "body", tokenizer=vocabulary, seed=seed)
    return model


def list_models() -> list[str]:
    """Give the names of the models that come with lingome.

    >>> "human-mini" in list_models()
    True
    """
    return list(packaged_models())


class Model:
    """A model with its tokenizer; `load` makes one.

    Parameters
    ----------
    opened : Opened
        The network, its tokenizer, and where both came from.
    device, precision, batch_tokens
        As in `load`.

    Attributes
    ----------
    name : str
        As it was asked for.
    network : Module
        The model of torch, in evaluation mode.
    tokenizer : Tokenizer
        Its vocabulary.
    folder : Path or None
        Where it was read from; None for random weights and for a model that was just trained.
    lineage : dict
        ``run.json`` of the run that made it, as far as it is known.
    """

    def __init__(
        self, opened: Opened[Any], *, device: str = "auto", precision: ReadingPrecision = "fp32",
        batch_tokens: int | None = None,
    ) -> None:
        pick_device(device)
        self.opened: Opened[Any] = opened
        self.name = opened.name
        self.network: nn.Module = opened.model
        self.tokenizer: Tokenizer = opened.tokenizer
        self.folder = opened.folder
        self.lineage = opened.lineage
        self.device = device
        self.precision = precision
        self.batch_tokens = batch_tokens

    @property
    def kind(self) -> str:
        """What the model is, in the words of the field."""
        if isinstance(self.network, SequenceClassifier):
            return f"classifier ({', '.join(self.network.config.label_names)})"
        if isinstance(self.network, StaticEmbeddings):
            return "static vectors"
        if isinstance(self.network, EncoderDecoderLM):
            return "encoder-decoder language model"
        if isinstance(self.network, LanguageModel):
            return "causal language model" if is_causal(self.network) else "masked language model"
        return "body without a head"

    @property
    def n_parameters(self) -> int:
        """Number of weights."""
        return count_parameters(self.network)

    @cached_property
    def start(self) -> Opened[Body]:
        """The body alone, as fine-tuning and embedding take it; in evaluation mode."""
        if isinstance(self.network, Body):
            return self.opened._replace(model=self.network)
        if self.folder is None or isinstance(self.network, MaskedLM):
            body: Any = self.network.body  # the same weights, held once
            return self.opened._replace(model=body)
        return load_model(self.folder, "body")._replace(name=self.name)

    def embed(
        self,
        sequences: Sequences,
        *,
        layer: Layer = -1,
        per: Literal["sequence", "token", "base"] = "sequence",
        pooling: Pooling = "mean",
        too_long: LongPolicy = "error",
    ) -> Any:
        """Compute vectors of sequences; those of one sequence do not depend on the others.

        Parameters
        ----------
        sequences : str, Path, list, ndarray, Series, DataFrame, dict, Examples or Task
            N sequences; see `lingome.api.sequences.read_named`.
        layer : int or "all"
            0 is the embedding table, 1 the first layer, -1 the last; ``all`` of them side by side.
        per : {"sequence", "token", "base"}
            One vector per sequence, per token, or per base (that of the token which owns it).
        pooling : {"mean", "max", "cls"}
            Of one vector per sequence: mean or maximum over its tokens, or the vector of ``[CLS]``.
        too_long : {"error", "truncate", "window"}
            Sequences beyond the context: refuse; keep their beginning; or read them in windows.

        Returns
        -------
        ndarray of float32, shape (N, D), or (N, (n_layers + 1) D) of all layers
            With ``per="sequence"``. Otherwise `TokenVectors` with the fields ``embeddings`` (M, D), ``cuts``
            (N + 1,), ``starts`` (M,) and ``ends`` (M,): rows ``cuts[r]`` to ``cuts[r + 1] - 1`` are those of sequence
            `r`, and each owns its bases from ``starts`` to ``ends`` (0-based, half-open).

        Raises
        ------
        ConfigError
            If the model has no such layer, no meaning for ``[CLS]``, or the device no such precision.
        DataError
            If a sequence cannot be read, is empty, or is too long under ``error``.
        """
        found = read_named(sequences, self.tokenizer.alphabet)
        body = self.start.model
        pieces = cut_for_embedding(
            body, self.tokenizer, found.sequences, layer=layer, pooling=pooling, too_long=too_long
        )
        say_what_was_cut(pieces, len(found.ids), too_long=too_long, per=per)
        reader = Reader.of(body, pick_device(self.device), self.precision)
        if per == "sequence":
            return embed_pieces(
                reader, self.tokenizer, pieces, layer=layer, pooling=pooling, batch_tokens=self.batch_tokens
            )
        return embed_tokens(
            reader, self.tokenizer, pieces, len(found.ids), bases=per == "base", layer=layer,
            batch_tokens=self.batch_tokens,
        )

    def score(
        self,
        sequences: Sequences,
        *,
        convention: str | None = None,
        strands: Strands = "forward",
        too_long: LongPolicy = "error",
    ) -> Scores:
        """Say how likely the model finds whole sequences.

        Parameters
        ----------
        sequences : str, Path, list, ndarray, Series, DataFrame, dict, Examples or Task
            N sequences; see `lingome.api.sequences.read_named`.
        convention : {"log_likelihood", "pll"}, optional
            The first for a causal model, the second for a masked one, by default.
        strands : {"forward", "both"}
            ``both`` is the mean with the reverse complement.
        too_long : {"error", "truncate", "window"}
            Sequences beyond the context: refuse; score the beginning; or add up the scores of windows.

        Raises
        ------
        CheckpointError
            If the model gives letters no probability.
        ConfigError
            If the convention has no meaning for this model, or a protein has no other strand.
        DataError
            If a sequence cannot be read, is empty, or is too long under ``error``.
        """
        asked = self._ask(convention, strands, changes=False)
        found = read_named(sequences, self.tokenizer.alphabet)
        for doubt in doubt_letters(self.tokenizer.alphabet, found.sequences):
            say(f"warning: {doubt}")
        return _said(score_texts(asked, found.ids, found.sequences, too_long))

    def score_variants(
        self,
        genome: Genome | str | Path,
        variants: Any,
        *,
        convention: str | None = None,
        strands: Strands = "forward",
        window_bp: int = 500,
        step_bp: int = 1,
        indels: Literal["score", "leave_out"] = "score",
    ) -> Scores:
        """Say how much less or more likely the model finds variants of a genome than the reference.

        Parameters
        ----------
        genome : Genome, str or Path
            What they lie on.
        variants : str, Path, DataFrame, or list
            A VCF or a table with chrom, pos (1-based), ref, alt; or texts such as ``chr20:31000001:A>G``.
        convention : str, optional
            ``log_likelihood`` for a causal model and ``mask_fill`` for a masked one by default; see ``docs/score.md``.
        strands : {"forward", "both"}
            ``both`` is the mean with the same change on the reverse complement.
        window_bp : int
            Bases of the window around a variant.
        step_bp : int
            Places of one step share a window; 1 centres every variant.
        indels : {"score", "leave_out"}
            Insertions and deletions, which only ``log_likelihood`` and ``pll`` can score.

        Returns
        -------
        Scores
            Alternative - reference, in nats: above 0 the model prefers the alternative.

        Raises
        ------
        CheckpointError
            If the model gives letters no probability.
        ConfigError
            If the model does not read DNA, or the convention has no meaning for it.
        DataError
            If a variant cannot be read, its reference is not what the genome has, or none is left.
        """
        require_dna(self.tokenizer)
        asked = self._ask(convention, strands, changes=True)
        genome = as_genome(genome)
        found = cut_variants(
            genome, read_any_variants(variants, genome), window_bp=window_bp, step_bp=step_bp,
            keep_indels=indels == "score", data_seen=self.lineage.get("data_seen", []),
        )
        return _said(score_changed(asked, found))

    def generate(
        self, n: int = 1, length_bp: int = 500, *, prompt: str = "", seed: int = 0, **options: Any
    ) -> Generated:
        """Write sequences with a causal language model.

        Parameters
        ----------
        n : int
            How many.
        length_bp : int
            Bases after the prompt; exact without ``min_length_bp``.
        prompt : str
            Letters that every sequence begins with.
        seed : int
            Sequence `i` depends on the seed and `i` alone.
        **options
            Further settings of ``lingome generate``: ``method`` (sample, greedy, beam), ``temperature``, ``top_k``,
            ``top_p``, ``min_p``, ``beams``, ``max_repeated``, ``too_long`` ...

        Returns
        -------
        Generated
            A sequence of str; its `table` says how each was written.

        Raises
        ------
        CheckpointError
            If the model is not causal.
        ConfigError
            If an option is unknown or does not fit, or the prompt has letters that the model does not know.
        DataError
            If the sequences would be longer than the context.
        """
        model = self.causal_model()
        flags = {"model": self.name, "n": n, "length_bp": length_bp, "prompt": prompt, "seed": seed,
                 "device": self.device, **options}
        settings = load_settings(GenerateSettings, flags=flags)
        made = write_sequences(open_writer(model, self.tokenizer, settings), settings)
        if advice := causal_warning(self.tokenizer):
            say(f"warning: {advice}")
        if made.n_missing:
            say(f"warning: {made.n_missing:,} of {n:,} sequences are missing: {made.why_missing}")
        return gather(made, self.tokenizer, prompt)

    def predict_proba(self, sequences: Sequences, *, too_long: Literal["error", "truncate"] = "error") -> np.ndarray:
        """Give the probability of each class for each sequence, by a classifier.

        Parameters
        ----------
        sequences : str, Path, list, ndarray, Series, DataFrame, dict, Examples or Task
            N sequences; see `lingome.api.sequences.read_named`.
        too_long : {"error", "truncate"}
            Sequences beyond the context: refuse, or cut at the end.

        Returns
        -------
        ndarray of float64, shape (N, C)
            Rows sum to 1; columns are the classes of `label_names`.

        Raises
        ------
        CheckpointError
            If the model is no classifier.
        DataError
            If a sequence cannot be read, is empty, or is too long under ``error``.
        """
        model = self.classifier()
        found = read_named(sequences, self.tokenizer.alphabet)
        encoded = cut_to_fit(
            self.tokenizer, found.sequences, model.config.max_positions, too_long, hint=CUT_HINT
        )
        for warning in (*encoded.warnings(), *doubt_letters(self.tokenizer.alphabet, found.sequences)):
            say(f"warning: {warning}")
        return softmax(run_batches(
            model, self.tokenizer, encoded.ids, batch_tokens=self.batch_tokens, label="predicting"
        ))

    def predict(self, sequences: Sequences, *, too_long: Literal["error", "truncate"] = "error") -> np.ndarray:
        """Give the most probable class of each sequence: names, shape (N,); otherwise as `predict_proba`."""
        chances = self.predict_proba(sequences, too_long=too_long)
        return np.asarray(np.array(self.label_names, dtype=object)[chances.argmax(axis=1)])

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the classes; none for a model that is no classifier."""
        return tuple(getattr(self.network.config, "label_names", ()))

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write the model and its tokenizer as a Hugging Face folder, which `load` opens.

        Parameters
        ----------
        folder : str or Path
            The folder to make.
        force : bool
            Replace a folder that is there.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        CheckpointError
            If weights are not finite.
        DataError
            If the folder exists and `force` is false, or cannot be written.
        """
        path = Path(folder).expanduser()
        save_checkpoint(path, self.network, self.tokenizer, force=force)
        return path

    def __repr__(self) -> str:
        lines = [f"{name}: {value}" for name, value in self._facts()]
        return "\n  ".join([f"Model {self.name!r}: {self.kind}", *lines])

    def _repr_html_(self) -> str:
        return Table(f"{self.name}: {self.kind}", ("", "what it is"), self._facts())._repr_html_()

    def _facts(self) -> list[tuple[str, str]]:
        shape = shape_of(self.network)
        sizes = f"{shape.n_layers:,} layers, {shape.hidden_size:,} numbers per token"
        facts = [
            ("architecture", f"{find_architecture(shape).name}, {self.n_parameters:,} parameters"),
            ("shape", f"{sizes}, {shape.max_positions:,} tokens at most"),
            ("tokenizer", repr(self.tokenizer)),
        ]
        return [*facts, ("trained on", trained_on(self.lineage))]

    def _ask(self, convention: str | None, strands: Strands, *, changes: bool) -> Asked:
        model = self.language_model()
        if self.precision == "int8":
            raise ConfigError("scores are not computed in int8", where="precision", got="int8",
                              expected="fp32, bf16 or auto")
        return ask(
            model, self.tokenizer, convention, changes=changes, strands=strands,
            precision=self.precision, batch_tokens=self.batch_tokens,
        )

    def language_model(self) -> LanguageModel:
        """Give the network, on its device, if it gives letters a probability.

        Raises
        ------
        CheckpointError
            If it does not; says what it is.
        """
        if isinstance(self.network, LanguageModel):
            return self.network.to(pick_device(self.device))
        raise self._refusal("language_model", "a masked or a causal language model")

    def causal_model(self) -> CausalModel:
        """Give the network, on its device, if it is a causal language model.

        Raises
        ------
        CheckpointError
            If it is not; says what it is.
        """
        if isinstance(self.network, CausalModel):
            return self.network.to(pick_device(self.device))
        raise self._refusal("causal_lm", "a causal language model, which guesses the next token")

    def classifier(self) -> SequenceClassifier:
        """Give the network, on its device, if it is a classifier.

        Raises
        ------
        CheckpointError
            If it is not; says what it is.
        """
        if isinstance(self.network, SequenceClassifier):
            return self.network.to(pick_device(self.device))
        raise self._refusal("classifier", "a classifier, as fine-tuning makes it")

    def _refusal(self, promise: Literal["language_model", "causal_lm", "classifier"], needed: str) -> CheckpointError:
        """Say that the network is another one than needed, as the command line does where there is a folder."""
        if self.folder is not None:
            try:
                load_model(self.folder, promise)
            except CheckpointError as error:
                return error
        return CheckpointError("this model cannot do that", where=self.name, got=self.kind, expected=needed)


def require_dna(tokenizer: Tokenizer) -> None:
    """Refuse a model of something else than DNA.

    Raises
    ------
    ConfigError
        If the tokenizer reads no DNA.
    """
    if tokenizer.alphabet is not DNA:
        raise ConfigError("this model does not read DNA", where="model", got=tokenizer.alphabet.name)


def _said(scores: Scores) -> Scores:
    """Say the warnings of scores, and give them back."""
    for warning in scores.warnings:
        say(f"warning: {warning}")
    return scores


def trained_on(lineage: Mapping[str, Any]) -> str:
    """Say what a model learnt from, as far as its lineage knows: files, and bases of each stage."""
    files = [str(one.get("file")) for one in lineage.get("inputs", []) if one.get("file")]
    bases: dict[str, int] = {}
    for seen in lineage.get("data_seen", []):
        stage = str(seen.get("by"))
        bases[stage] = bases.get(stage, 0) + int(seen.get("end", 0)) - int(seen.get("start", 0))
    stages = [f"{stage} {n:,} bases" for stage, n in bases.items()]
    return "; ".join(filter(None, [", ".join(files), ", ".join(stages)])) or "not known"
