"""A ladder: small models of several sizes, each trained to several lengths, each with a schedule of its own.

No run is cut out of a longer one: the cosine ends with each run's own tokens, as intermediate points of a longer
run have a rate that is still high, and a loss that is too (Hoffmann et al. 2022, arXiv:2203.15556, appendix B).
One size at one length, the middle ones, is trained with several seeds, to know how far chance alone moves a loss.

N is counted twice, because the laws do: Kaplan's leaves out embeddings (Kaplan et al. 2020, arXiv:2001.08361,
2.1), Chinchilla's table counts everything. In small models the difference is large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lingome.config.parts.ladder import SIZE, LadderSettings
from lingome.config.pretrain import PretrainSettings
from lingome.core.lineage import Lineage
from lingome.core.rundir import RunDir
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.presets import count_parameters
from lingome.train.identity import MAY_DIFFER
from lingome.train.pretraining.corpus import Corpus
from lingome.train.pretraining.model import Pretrained
from lingome.train.pretraining.record import add_origins, add_seen
from lingome.train.pretraining.results import language_columns, language_rows
from lingome.train.pretraining.run import pretrain_run
from lingome.train.pretraining.start import start_model
from lingome.train.state import StateStore

Row = dict[str, Any]

REFERENCE_WIDTH = 256
"""At this width, that of the preset `mini`, the rate is the one that settings give."""


@dataclass(frozen=True)
class LadderRun:
    """One run of a ladder.

    Parameters
    ----------
    size : str
        Width times layers.
    tokens : int
        Tokens to train on.
    seed : int
        Seed of the run.
    """

    size: str
    tokens: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.size}-{self.tokens}-seed{self.seed}"

    def folder(self, out: Path) -> Path:
        """Give its run directory in that of a ladder; ladders of lingome 0.1.0 keep theirs in ``rungs/``."""
        return out / ("rungs" if (out / "rungs").is_dir() else "runs") / self.name

    def is_done(self, out: Path) -> bool:
        """Say whether this run of the ladder in `out` is complete."""
        return (self.folder(out) / "run.json").is_file()


def list_runs(ladder: LadderSettings, seed: int) -> list[LadderRun]:
    """List the runs: every size at every length, then the middle ones again with the next seeds.

    Examples
    --------
    >>> ladder = LadderSettings(sizes=("32x1", "64x1", "64x2"), tokens=(100, 200, 400), seeds=2)
    >>> runs = list_runs(ladder, seed=5)
    >>> len(runs), runs[0].name, runs[-1].name
    (10, '32x1-100-seed5', '64x1-200-seed6')
    """
    runs = [LadderRun(size, tokens, seed) for tokens in ladder.tokens for size in ladder.sizes]
    size = ladder.sizes[(len(ladder.sizes) - 1) // 2]
    tokens = sorted(ladder.tokens)[(len(ladder.tokens) - 1) // 2]
    return runs + [LadderRun(size, tokens, seed + more) for more in range(1, ladder.seeds)]


def run_settings(settings: PretrainSettings, run: LadderRun, tokenizer: Path, out: Path) -> PretrainSettings:
    """Give the settings of one run, with which it could be made on its own.

    Its rate is that of a width of 256 times (256 / width) ** lr_power: narrower models bear a higher one.

    Parameters
    ----------
    settings : PretrainSettings
        The ladder's.
    run : LadderRun
        Which run.
    tokenizer : Path
        Folder of the vocabulary of all runs.
    out : Path
        Its run directory.
    """
    train = settings.train
    found = SIZE.fullmatch(run.size)
    assert found is not None, "settings hold sizes alone"
    steps = max(1, round(run.tokens / (train.batch_tokens * train.accumulate)))
    rate = train.lr * (REFERENCE_WIDTH / int(found[1])) ** settings.ladder.lr_power
    own = {"max_steps": steps, "epochs": None, "eval_every": None, "lr": float(f"{rate:.4g}")}
    return settings.replace(
        ladder=LadderSettings(), preset=run.size, tokenizer=tokenizer, out=out, seed=run.seed, force=False,
        resume=False, merges=PretrainSettings.model_fields["merges"].default, train={**train.model_dump(), **own},
    )


def count_without_embeddings(model: nn.Module) -> int:
    """Count parameters without tables of tokens and positions, and without the matrix that gives the scores.

    Of a model of `lingome pretrain`: one with a `head`, whose last layer scores the vocabulary.
    """
    output = model.get_submodule("head.decoder" if isinstance(model, MaskedLM) else "head")
    left_out = [module for module in model.modules() if isinstance(module, nn.Embedding) or module is output]
    tables = {id(one): one.numel() for module in left_out for one in module.parameters()}
    return count_parameters(model) - sum(tables.values())


def ladder_row(run: LadderRun, model: nn.Module, done: Pretrained) -> Row:
    """Give a run's line of the table ``ladder``: sizes, tokens, and losses at the start and at the end."""
    return {
        "name": run.name, "size": run.size, "tokens_wanted": run.tokens, "seed": run.seed,
        "parameters": count_parameters(model), "parameters_without_embeddings": count_without_embeddings(model),
        "tokens": done.result.tokens, "steps": done.result.steps, **done.after, "loss_at_start": done.before["loss"],
        "time_s": round(done.result.seconds, 3),
    }


def train_run(
    settings: PretrainSettings, run: LadderRun, corpus: Corpus, baselines: Callable[[Pretrained], list[Row]]
) -> Row:
    """Make one run, or go on with it, or read what it came to: a run directory inside the ladder's.

    Parameters
    ----------
    settings : PretrainSettings
        The ladder's.
    run : LadderRun
        Which run.
    corpus : Corpus
        What all runs read; its `read` remembers the tokens of an area.
    baselines : callable
        Measures what is no network; called for the first run of the ladder alone.

    Returns
    -------
    dict
        ``row`` of the table ``ladder``, ``baselines``, and ``train_tokens`` of the training area.

    Raises
    ------
    ConfigError
        If the run was begun with other settings.
    """
    folder = run.folder(settings.out)
    again = f"lingome pretrain -o {settings.out} --resume"
    own = run_settings(settings, run, settings.out / "tokenizer", folder)
    begun = (folder / "config.yaml").is_file()
    if begun:
        RunDir(folder).check_resumable(
            own.as_dict(), may_differ={*MAY_DIFFER, "tokenizer"}, command=again, defaults=own.defaults()
        )
    if run.is_done(settings.out):
        return dict(RunDir(folder).read_lineage()["ladder"])
    lineage = Lineage("pretrain", run.seed)
    with RunDir.create(folder, resume=begun) as run_dir:
        run_dir.write_config(own.as_dict())
        add_origins(lineage, own, corpus.genome)
        model = start_model(own, None, corpus.tokenizer.vocab_size)
        done = pretrain_run(
            own, corpus, model, run_dir, resume=begun, resume_command=again, label=run.name,
            validation_seed=settings.seed,
        )
        add_seen(lineage, corpus)
        rows = language_rows(done)
        run_dir.write_table("language", rows, language_columns(rows))
        first = run == list_runs(settings.ladder, settings.seed)[0]
        record = {"row": ladder_row(run, model, done), "train_tokens": done.train_tokens,
                  "baselines": baselines(done) if first else []}
        run_dir.write_lineage(lineage.as_dict(title="A run of a ladder", ladder=record))
        StateStore(run_dir.path / "state").discard()
    return record
