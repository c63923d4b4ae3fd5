"""Settings of ``lingome demo``: small enough for two cores and five minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.finetune import TuneSettings
from lingome.config.parts.train import TrainSettings
from lingome.config.schema.settings import RunSettings
from lingome.config.tokens.choose import NextKmerSettings
from lingome.config.workflow import Workflow, no_inputs


class DemoSettings(RunSettings):
    """What the demo asks, on which organism, and how long each stage may take."""

    organism: Literal["human", "yeast"] = Field(default="human", description="human (CTCF sites) or yeast (promoters)")
    offline: bool = Field(default=False, description="never touch the network")
    out: Path = Field(default=Path("runs/demo"), description="run directory")
    force: bool = Field(default=False, description="replace an earlier run")
    merges: int = Field(default=600, ge=1, le=16_000, description="merges of the vocabulary")
    candidates: tuple[int, ...] = Field(default=(0, 100, 300, 600), description="merge counts to compare, up to merges")
    start_from: str = Field(
        default="auto",
        description="auto: the packaged model of this organism if there is one; none: random weights; or a checkpoint",
    )
    preset: str = Field(default="mini", description="shape of a model that starts from random weights")
    methods: tuple[str, ...] = Field(default=("features", "last:2", "full"), description="ways to fine-tune")
    seeds: int = Field(default=3, ge=1, description="repeats of everything random")
    p_value: float = Field(
        default=1e-5, gt=0, lt=0.01, description="probability that random sequence reaches the score of a motif site"
    )
    flank_bp: int = Field(default=30, ge=0, description="bases on either side of a motif")
    region: str | None = Field(default=None, description="chrom:start-end to predict over; the organism's by default")
    pretrain: TrainSettings = Field(
        default=TrainSettings(
            max_steps=100, max_seconds=40, batch_tokens=4096, lr=1e-4, warmup_share=0.1, eval_every=50
        ),
        description="pre-training pass",
    )
    scratch_lr: float = Field(default=1e-3, gt=0, description="peak learning rate of pre-training from random weights")
    promoters: int = Field(default=600, ge=50, description="promoters of the yeast question, drawn at random")
    resamples: int = Field(default=1000, ge=100, description="bootstrap resamples for the intervals")
    tune: TuneSettings = Field(
        default=TuneSettings(epochs=3, lr=5e-4, batch_tokens=1024, warm_head=False),
        description="how the model is fine-tuned",
    )
    choose: NextKmerSettings = Field(default=NextKmerSettings(), description="next-k-mer prediction, the quick version")


WORKFLOW = Workflow(
    name="demo",
    settings=DemoSettings,
    recipe="demo",
    inputs=no_inputs("the demo brings its own data", "for your own genome: lingome finetune --help"),
    description="""Which CTCF motif sites are used? Vocabulary, pre-training, fine-tuning, baselines, prediction and a
    page, on human chromosome 20 (or, with --organism yeast, promoters of yeast) in a few minutes on a laptop.""",
    examples=("lingome demo", "lingome demo --organism yeast -o runs/yeast", "lingome demo --dry-run"),
)
