"""Pre-train a language model on a genome."""

from __future__ import annotations

import html
import shutil
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any, NamedTuple

from lingome.api.model import Model
from lingome.config.pretrain import PretrainSettings, PretrainTrainSettings
from lingome.config.schema.settings import load_settings
from lingome.core.lineage import Lineage
from lingome.core.outcome import Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.evaluate.language.likelihood import markov_baseline
from lingome.models.architecture import CausalModel
from lingome.models.devices import pick_device
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.open import load_model
from lingome.models.presets import CAUSAL_PRESETS, SEQ2SEQ_PRESETS
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.pretraining.record import add_seen
from lingome.train.pretraining.results import describe, find_warnings, language_columns, language_rows
from lingome.train.pretraining.run import begin_run, pretrain_run
from lingome.train.state import StateStore

SIZE_PREFIX = "gpt-"
"""What stands before a size (mini, tiny ...) in the names of causal presets."""


def pretrain(
    genome: Genome | str | Path,
    *,
    preset: str | None = None,
    objective: str | None = None,
    tokenizer: Tokenizer | str | Path | None = None,
    start_from: Model | str | Path | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    **options: Any,
) -> Pretrained:
    """Pre-train a language model on a genome, new or further; one pass over it unless told otherwise.

    Parameters
    ----------
    genome : Genome, str or Path
        What to learn from: an open genome, a FASTA, or the folder of a token store.
    preset : str, optional
        The shape of a new model: ``gpt-mini``, ``mini``, ``t5-mini`` ...
    objective : {"causal", "masked", "span", "contrastive"}, optional
        Guess each token from those before it, hidden tokens, hidden spans; or match views of a window. By default
        the preset decides, and a size alone (``mini``) is that of a causal model (``gpt-mini``), which can write
        sequence. What was decided is said.
    tokenizer : Tokenizer, str or Path, optional
        A vocabulary, or its folder; byte pairs are trained by default.
    start_from : Model, str or Path, optional
        A model to train further, in place of `preset` and `tokenizer`.

    out : str or Path, optional
        A run directory to write while training, which ``lingome pretrain --resume`` can go on with. Without it the
        run lasts as long as the result; see `Pretrained.save`.
    seed : int
        Every random choice derives from it; the same one gives the weights of ``lingome pretrain``.
    **options
        Further settings of ``lingome pretrain``: ``merges``, ``max_tokens``, ``exclude``, ``strands``, ``device`` ...;
        and those under ``train``: ``max_steps``, ``max_seconds``, ``epochs``, ``lr``, ``batch_tokens`` ...

    Returns
    -------
    Pretrained
        The model, which can `embed`, `score` and, if causal, `generate`; and how it did on held-out sequence.

    Raises
    ------
    ConfigError
        If an option is unknown, or settings do not fit together.
    DataError
        If the genome cannot be read, an area is too short, or the loss stops being finite.
    CheckpointError
        If there is no model to start from.
    """
    scratch = Path(tempfile.mkdtemp(prefix="lingome-pretrain-"))
    try:
        if isinstance(tokenizer, Tokenizer):
            tokenizer.save(scratch / "tokenizer")
            tokenizer = scratch / "tokenizer"
        if isinstance(start_from, Model):
            start_from = start_from.folder or start_from.save(scratch / "start")
        objective, preset = choose_objective(objective, preset, start_from)
        path = genome.path if isinstance(genome, Genome) else Path(genome).expanduser()
        where = scratch / "run" if out is None else Path(out).expanduser()
        nested = {
            (f"train.{name}" if name in PretrainTrainSettings.model_fields else name): value
            for name, value in options.items()
        }
        settings = load_settings(PretrainSettings, flags={
            "genome": path, "out": where, "preset": preset, "objective": objective, "tokenizer": tokenizer,
            "start_from": start_from, "seed": seed, **nested,
        })
        with RunDir.create(where) as run:
            run.write_config(settings.as_dict())
            trained = pretrain_into(run, settings, Lineage("pretrain", seed))
        return Pretrained(where, trained, scratch, device=settings.device)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def choose_objective(
    objective: str | None, preset: str | None, start_from: str | Path | None = None
) -> tuple[str, str | None]:
    """Give the objective and the preset that are meant, and say what was decided.

    Parameters
    ----------
    objective, preset : str, optional
        As they were asked for.
    start_from : str or Path, optional
        A model to train further, whose kind decides where no objective is named.

    Raises
    ------
    CheckpointError
        If there is no model to start from.

    Examples
    --------
    >>> choose_objective(None, "mini"), choose_objective(None, "t5-mini"), choose_objective("masked", "mini")
    (('causal', 'gpt-mini'), ('span', 't5-mini'), ('masked', 'mini'))
    """
    twin = f"{SIZE_PREFIX}{preset}"
    chosen = objective
    if objective is None and start_from is not None:
        model = load_model(start_from).model
        chosen = "masked"
        if isinstance(model, CausalModel):
            chosen = "causal"
        elif isinstance(model, EncoderDecoderLM):
            chosen = "span"
    elif objective is None:
        chosen = "masked"
        if preset is None or preset in CAUSAL_PRESETS or twin in CAUSAL_PRESETS:
            chosen = "causal"
        elif preset in SEQ2SEQ_PRESETS:
            chosen = "span"
    if chosen == "causal" and twin in CAUSAL_PRESETS:
        preset = twin
    if objective is None:
        say(f"objective: {chosen}" + (f", preset {preset}" if preset else ""))
    return str(chosen), preset


class Trained(NamedTuple):
    """What pre-training came to.

    Parameters
    ----------
    answer : str
        Steps, time, and what held-out sequence costs beside baselines, in a sentence.
    table : Table
        The model beside what it started from and its baselines; without rows where nothing was held out.
    waiting_share : float
        Share of the steps' time that was spent waiting for data.
    """

    answer: str
    table: Table
    waiting_share: float


def pretrain_into(
    run: RunDir, settings: PretrainSettings, lineage: Lineage, *, resume: bool = False, resume_command: str = ""
) -> Trained:
    """Read the genome, train or load the tokenizer, pre-train, and write everything of the run but its settings.

    Parameters
    ----------
    run : RunDir
        Gets ``checkpoint/``, ``metrics.jsonl``, ``tables/``, ``run.json`` and, until it is complete, ``state/``.
    settings : PretrainSettings
        Inputs, objective, windows, length, device.
    lineage : Lineage
        Of the run; inputs, parents and data seen are added.
    resume : bool
        Continue from the state, if there is one.
    resume_command : str
        What a person types to go on after an interruption.

    Raises
    ------
    ConfigError
        If settings or inputs do not fit together.
    DataError
        If an input cannot be read, an area is too short, or the loss stops being finite.
    """
    clock = time.monotonic()
    pick_device(settings.device)  # refused now rather than after the vocabulary
    corpus, model = begin_run(settings, run, lineage)
    prepared_s = time.monotonic() - clock
    done = pretrain_run(settings, corpus, model, run, resume=resume, resume_command=resume_command)
    add_seen(lineage, corpus)
    rows = [*language_rows(done), *markov_baseline(done)]
    run.write_table("language", rows, language_columns(rows))
    run.write_warnings(find_warnings(done))
    note = f"{done.result.steps:,} steps; waiting for data {done.result.waiting_share:.2%} of their time"
    size = f"{corpus.tokenizer.vocab_size} tokens"
    run.write_table("steps", [
        {"step": "tokenizer and model", "time_s": round(prepared_s, 2), "note": size},
        {"step": "pre-training", "time_s": round(done.result.seconds, 2), "note": note},
    ])
    answer = describe(done)
    run.write_lineage(lineage.as_dict(
        title="Pre-training", question=done.objective.question, answer=answer,
        steps=done.result.steps, tokens=done.result.tokens, stopped_by=done.result.stopped_by,
        waiting_share=round(done.result.waiting_share, 6),
    ))
    StateStore(run.path / "state").discard()
    columns = tuple(column for column in language_columns(rows) if column != "kind")
    title = f"guessing {done.objective.guesses} of the validation area"
    return Trained(
        answer, Table(title, columns, [[row.get(c) for c in columns] for row in rows]), done.result.waiting_share
    )


class Pretrained(Model):
    """A language model that was just pre-trained; `pretrain` makes one. Everything of `Model`, and how it did.

    Parameters
    ----------
    folder : Path
        Its run directory.
    trained : Trained
        Answer and table.
    scratch : Path
        A folder that is removed together with this object.
    device : str
        As in `lingome.load`.
    """

    def __init__(self, folder: Path, trained: Trained, scratch: Path, *, device: str = "auto") -> None:
        super().__init__(load_model(folder), device=device)
        self.name = "pre-trained model"
        self.answer = trained.answer
        self.run = RunDir(folder)
        self._table = trained.table
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)

    @property
    def scores(self) -> Table:
        """The model on held-out sequence, beside what it started from, token frequencies and a Markov model."""
        return self._table

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write a run directory, as ``lingome pretrain`` does: the model, all tables, settings and lineage.

        Parameters
        ----------
        folder : str or Path
            The run directory to make.
        force : bool
            Replace a run that is there.

        Returns
        -------
        Path
            The run directory.

        Raises
        ------
        DataError
            If the folder exists and `force` is false, or cannot be written.
        """
        path = Path(folder).expanduser()
        with RunDir.create(path, force=force):
            shutil.copytree(self.run.path, path, dirs_exist_ok=True)
            RunDir(path).write_config({**self.run.read_config(), "out": str(path)})
        return path

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n  {self.answer}"

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}<p>{html.escape(self.answer)}</p>{self._table._repr_html_()}"
