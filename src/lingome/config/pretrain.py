"""Settings of ``lingome pretrain``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lingome.config.parts.ladder import LadderSettings
from lingome.config.parts.train import TrainSettings
from lingome.config.schema.settings import RunSettings, Settings
from lingome.config.workflow import Workflow, inputs_in_order
from lingome.core.errors import DataError

SOFT_MASKED = "softmasked"
"""In place of a BED: the lower-case letters of the FASTA."""


class PretrainTrainSettings(TrainSettings):
    """Training settings that end after one pass over the genome unless told otherwise."""

    eval_every: int | None = Field(default=200, ge=1, description="steps between evaluations; always one at the end")

    @model_validator(mode="before")
    @classmethod
    def _one_pass(cls, values: Any) -> Any:
        if isinstance(values, dict) and not {"max_steps", "max_seconds", "epochs"} & values.keys():
            return {**values, "epochs": 1}
        return values


class ContrastiveSettings(Settings):
    """What two views of a window are, and how sharply they are compared."""

    views: Literal["crops", "reverse_complement", "dropout"] = Field(
        default="crops", description="two overlapping stretches, both strands, or dropout drawn twice"
    )
    temperature: float = Field(default=0.05, gt=0, description="divides the cosines")
    crop_share: float = Field(default=0.55, gt=0.5, lt=1, description="share of a window in each crop")


class PretrainSettings(RunSettings):
    """What to pre-train on, what model, and how long."""

    genome: Path = Field(description="FASTA of DNA: plain, .gz or bgzip; or the folder of a token store")
    out: Path = Field(description="run directory to write")
    force: bool = Field(default=False, description="replace a run that is there")
    resume: bool = Field(default=False, description="continue the run in `out`")
    tokenizer: Path | None = Field(default=None, description="folder of a tokenizer; by default one is trained")
    merges: int = Field(default=600, ge=1, le=16_000, description="byte-pair merges, where a tokenizer is trained")
    preset: str | None = Field(
        default=None,
        description="shape of a new model: a name of lingome model list, or width times layers as 96x3; by default "
        "mini, with objective=causal gpt-mini, with span t5-mini",
    )
    start_from: Path | None = Field(
        default=None, description="checkpoint, or run with one, to train further; brings shape and tokenizer"
    )
    objective: Literal["masked", "causal", "span", "contrastive"] = Field(
        default="masked",
        description="predict hidden tokens, each token from those before it, or hidden spans (T5); or match views",
    )
    mask_scheme: Literal["bert", "grover", "dnabert"] | None = Field(
        default=None, description="a published way to choose hidden tokens, in place of mask_rate and mask_span"
    )
    mask_rate: float | None = Field(
        default=None, gt=0, lt=1,
        description="share of tokens to predict, by default 0.15; objective=masked hides 80% of them, replaces 10% "
        "and leaves 10%; objective=span hides all",
    )
    mask_span: int | None = Field(
        default=None, ge=1, le=64,
        description="consecutive tokens hidden together, by default 1; overlapping k-mers need k or more; with "
        "objective=span their mean number, by default 3",
    )
    contrastive: ContrastiveSettings = Field(
        default_factory=ContrastiveSettings, description="with objective=contrastive: views, temperature"
    )
    dropout: float | None = Field(default=None, ge=0, lt=1, description="dropout; by default that of the model's shape")
    repeats: Path | None = Field(
        default=None, description="BED of repeats, or softmasked for lower-case letters: they count less in the loss"
    )
    repeat_weight: float = Field(default=0.1, gt=0, le=1, description="weight of the loss of a token in a repeat")
    strands: Literal["forward", "both"] = Field(
        default="forward", description="learn from the letters as given, or from their reverse complement, too"
    )
    lengths: Literal["batch", "mixed"] = Field(
        default="batch", description="windows of one length per batch, or of many lengths, packed without padding"
    )
    min_tokens: int = Field(default=20, ge=1, description="shortest window, in tokens")
    max_tokens: int = Field(default=510, ge=1, description="longest window, in tokens, without [CLS] and [SEP]")
    fixed_share: float = Field(
        default=0.5, ge=0, le=1, description="share of batches with the longest windows; the others are of any length"
    )
    soft_masked: Literal["upper", "n"] = Field(default="upper", description="lower-case bases: as upper case, or as N")
    exclude: tuple[str, ...] = Field(default=(), description="chrom:start-end (0-based, half-open), never learnt from")
    validation_share: float = Field(
        default=0.02, ge=0, lt=0.5,
        description="share of bases, at the end, held out for validation",
    )
    gap_bp: int = Field(default=5000, ge=0, description="bases left out between training and validation")
    validation_windows: int = Field(default=64, ge=1, description="windows on which progress is measured")
    train: PretrainTrainSettings = Field(
        default_factory=PretrainTrainSettings, description="length, batches, rate; one pass by default"
    )
    ladder: LadderSettings = Field(
        default_factory=LadderSettings, description="with --ladder: sizes, lengths, budget"
    )

    def defaults(self) -> dict[str, Any]:
        """Give all settings as they are where only the genome is said."""
        return type(self)(genome=self.genome, out=self.out).as_dict()

    @model_validator(mode="after")
    def _one_way_of_masking(self) -> Self:
        given = [name for name in ("mask_scheme", "mask_rate", "mask_span") if getattr(self, name) is not None]
        if self.objective in ("causal", "contrastive") and given:
            raise ValueError(f"objective={self.objective} hides nothing: leave out {', '.join(given)}")
        if self.objective == "span" and self.mask_scheme is not None:
            raise ValueError("objective=span hides spans of its own: set mask_rate and mask_span, not mask_scheme")
        if self.mask_scheme is not None and len(given) > 1:
            beside = ", ".join(given[1:])
            raise ValueError(f"mask_scheme={self.mask_scheme} brings its rate and span: leave out {beside}")
        return self

    @model_validator(mode="after")
    def _fits_the_objective(self) -> Self:
        if self.objective != "contrastive" and self.contrastive != ContrastiveSettings():
            raise ValueError(f"contrastive.* has no meaning with objective={self.objective}")
        if self.lengths == "mixed" and self.objective != "masked":
            raise ValueError(f"lengths=mixed packs masked batches only, not objective={self.objective}")
        if self.repeats is None:
            if self.repeat_weight != type(self).model_fields["repeat_weight"].default:
                raise ValueError("repeat_weight needs repeats: repeats=FILE.bed, or repeats=softmasked")
            return self
        if self.objective not in ("masked", "causal"):
            raise ValueError(f"repeats cannot be down-weighted with objective={self.objective}")
        if str(self.repeats) == SOFT_MASKED and self.soft_masked == "n":
            raise ValueError("soft_masked=n leaves no lower-case letter for repeats=softmasked: choose one")
        return self

    @model_validator(mode="after")
    def _ladder_is_whole(self) -> Self:
        if not self.ladder.enabled:
            if self.ladder != LadderSettings():
                raise ValueError("ladder.* needs --ladder, or ladder.enabled=true")
            return self
        if self.objective not in ("masked", "causal"):
            raise ValueError(f"a ladder is of masked or causal models, not objective={self.objective}")
        if self.preset is not None or self.start_from is not None:
            raise ValueError("a ladder brings its own shapes: set ladder.sizes, not preset or start_from")
        train = self.train
        if train.max_steps or train.max_seconds or train.patience or train.epochs != 1:
            raise ValueError("each run of a ladder has its own length: set ladder.tokens, not train.max_steps, "
                             "train.epochs, train.max_seconds or train.patience")
        if self.validation_share == 0:
            raise ValueError("a ladder compares losses: validation_share must be above 0")
        return self


def find_resumed(given: Mapping[str, Any]) -> Path | None:
    """Find the settings that a resumed run began with: those in its directory.

    Raises
    ------
    DataError
        If there is no run in the directory.
    """
    if not given.get("resume") or given.get("out") is None:
        return None
    out = Path(given["out"])
    file = out / "config.yaml"
    if not file.is_file():
        raise DataError("there is no run to resume", where=out, hint="leave out --resume to start one")
    return file


WORKFLOW = Workflow(
    name="pretrain",
    settings=PretrainSettings,
    recipe="pretrain",
    inputs=inputs_in_order(
        ("genome",), usage="GENOME", problem="one genome at a time",
        meaning="A FASTA; or a token store, whose tokens are read from disk and which brings its tokenizer.",
    ),
    description="""The model learns to predict hidden tokens, or what objective=causal, span or contrastive
    name. Without --tokenizer, byte pairs are trained on the same sequence first. Progress is measured on the end of
    the genome, which is not learnt from. Ctrl-C saves, and --resume continues exactly.""",
    examples=(
        "lingome pretrain genome.fa.gz -o runs/mini --preset mini",
        "lingome pretrain genome.fa.gz -o runs/short --preset tiny train.max_steps=200 train.lr=2e-3",
        "lingome pretrain runs/genome-tokens -o runs/mini",
        "lingome pretrain genome.fa.gz -o runs/causal --tokenizer runs/six objective=causal",
        "lingome pretrain genome.fa.gz -o runs/ladder --ladder ladder.budget_hours=10",
        "lingome pretrain -o runs/mini --resume",
    ),
    options={"ladder.enabled": "--ladder"},
    settings_file=find_resumed,
    several_processes=True,
)
