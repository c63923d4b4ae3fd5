"""Choose a vocabulary: train byte pairs once, compare merge counts, k-mers and characters, recommend one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lingome.config.tokens.choose import ChooseSettings
from lingome.core.errors import ConfigError
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed
from lingome.core.warnings import RunWarning
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.splits import hold_out_ends
from lingome.evaluate.vocabulary.next_kmer import merges_of, open_test
from lingome.evaluate.vocabulary.recommendation import Pick, one_each, pick_vocabulary, reasons
from lingome.evaluate.vocabulary.signals import SignalBases, vocabulary_signals
from lingome.evaluate.vocabulary.stretches import Stretches
from lingome.models.devices import pick_device
from lingome.models.presets import build_masked_lm, count_parameters, find_config
from lingome.report.page import write_report
from lingome.tokens.advice import causal_warning
from lingome.tokens.bpe import BpeTokenizer, train_bpe, vocabulary_size
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer

Row = dict[str, Any]


def plan(settings: ChooseSettings) -> Plan:
    """Read the genome and say what would be trained."""
    check_absent(settings.out, settings.force)
    pick_device(settings.device)
    genome = Genome.open(settings.genome)
    learn, test = areas(genome, settings)
    names = candidate_names(settings)
    largest = max([vocabulary_size(merges) for merges in settings.merges] + [5 + 4**k for k in settings.kmers])
    parameters = count_parameters(build_masked_lm(settings.next.preset, largest))
    bases = sum(genome.lengths.values())
    return Plan("tokens choose", [
        ("genome", f"{settings.genome}: {bases:,} bases"),
        ("trained on", f"{sum(one.length_bp for one in learn):,} bases"),
        ("tested on", f"{settings.next.n_test:,} positions in {sum(one.length_bp for one in test):,} other bases"),
        ("candidates", f"{len(names)}, seeds {settings.seeds}: {', '.join(names)}"),
        ("model", f"{settings.next.preset}, {parameters:,} parameters at most"),
        ("memory", f"about {0.9 + 12 * bases / 1e9 + parameters * 2e-8:.1f} GB"),
        ("time", f"about {seconds(names, bases, settings) / 60:.1f} minutes on one core"),
        ("output", str(settings.out)),
    ])


def run(settings: ChooseSettings) -> Outcome:
    """Train the vocabularies, compare them, and write the run directory and its page."""
    device = str(pick_device(settings.device))
    lineage = Lineage("tokens choose", settings.seed)
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        run_dir.write_config(settings.as_dict())
        genome = Genome.open(settings.genome)
        lineage.add_input("genome", settings.genome)
        learn, test = areas(genome, settings)
        candidates, notes = build_candidates(genome, learn, settings)
        if settings.purpose == "masked":
            warning = ""
        else:
            warning = next(filter(None, map(causal_warning, candidates.values())), "")
        signals = vocabulary_signals(
            SignalBases.sample(
                Stretches(genome, learn, "training"), Stretches(genome, test, "test"), settings.signals.count_bp,
                settings.signals.test_bp,
            ), candidates, {name: merges_of(one) for name, one in candidates.items()},
        )
        run_dir.write_table("vocabulary_signals", signals)
        seeds = [derive_seed(settings.seed, "choose", index) for index in range(settings.seeds)]
        trial = open_test(genome, learn, test, settings.next, seeds, device)
        guesses = {name: trial.run(name, tokenizer) for name, tokenizer in candidates.items()}
        rows = trial.rows(guesses, candidates)
        run_dir.write_table("next_kmer", rows)
        pick = pick_vocabulary(rows, settings.purpose)
        controls = []
        if settings.control and settings.next.pretrain_steps:
            controls = trial.control_rows([pick.chosen, pick.best], guesses, candidates)
            run_dir.write_table("next_kmer_controls", controls)
        choice = reasons(pick, rows, signals, controls, warning)
        run_dir.write_table("choice", choice)
        if warning:
            notes.append(RunWarning("warn", "purpose", warning))
        if notes:
            run_dir.write_warnings(notes)
        candidates[pick.chosen].save(run_dir.path / "tokenizer")
        lineage.add_seen("tokens choose", genome.digest, [(one.chrom, one.start, one.end) for one in learn])
        run_dir.write_lineage(lineage.as_dict(
            title="Choice of a vocabulary", question=f"Which vocabulary reads {settings.genome.name} best?",
            answer=choice[0]["text"], recommended=pick.chosen,
        ))
        page = write_report(run_dir)
    said = "\n".join(f"{row['topic']}: {row['text']}" for row in choice)
    return Outcome(f"{said}\npage: {page}", tables=[choice_view(rows, signals, pick)], path=settings.out)


def areas(genome: Genome, settings: ChooseSettings) -> tuple[list[Interval], list[Interval]]:
    """Keep the end of every sequence for testing, behind a gap of a thousand bases."""
    return hold_out_ends(genome.lengths, settings.test_share, gap_bp=1000)


def candidate_names(settings: ChooseSettings) -> list[str]:
    """Name the candidates: characters, byte pairs from few merges to many, k-mers."""
    merges = [f"BPE-{merges}" for merges in sorted(set(settings.merges) - {0})]
    return ["characters", *merges, *(f"{k}-mers" for k in sorted(set(settings.kmers) - {1}))]


def build_candidates(
    genome: Genome, learn: Sequence[Interval], settings: ChooseSettings
) -> tuple[dict[str, Tokenizer], list[RunWarning]]:
    """Train byte pairs once to the highest count, on training bases only, and cut the list at each candidate.

    Where the sequence has fewer merges than asked for, the candidates that exist are kept, and a
    note says which are not.

    Raises
    ------
    ConfigError
        If nothing is left to compare with characters.
    """
    candidates: dict[str, Tokenizer] = {"characters": BpeTokenizer([])}
    notes: list[RunWarning] = []
    wanted = sorted(set(settings.merges) - {0})
    if wanted:
        say(f"training {wanted[-1]:,} merges")
        parts = (genome.sequence(one.chrom, one.start, one.end) for one in learn)
        trained = train_bpe(parts, wanted[-1], both_strands=settings.both_strands).tokenizer
        there = len(trained.merges)
        candidates |= {f"BPE-{merges}": trained.truncated(merges) for merges in wanted if merges <= there}
        if there < wanted[-1]:
            lost = ", ".join(f"BPE-{merges}" for merges in wanted if merges > there)
            text = f"training stopped after {there:,} merges, because no pair was left; not compared: {lost}"
            notes.append(RunWarning("warn", "merges", text))
            say(text)
    candidates |= {f"{k}-mers": KmerTokenizer(k, overlap=False) for k in sorted(set(settings.kmers) - {1})}
    if len(candidates) < 2:
        raise ConfigError("nothing is left to compare with characters", where="merges", got=notes[0].text)
    return candidates, notes


def bases_per_token(name: str) -> float:
    """Guess how long the tokens of a candidate are in human DNA; for the estimate of time alone."""
    if name == "characters":
        return 1.0
    if name.startswith("BPE-"):
        return max(1.2, 0.17 + 0.43 * math.log2(int(name.removeprefix("BPE-"))))
    return float(name.removesuffix("-mers"))


def seconds(names: Sequence[str], bases: int, settings: ChooseSettings) -> float:
    """Estimate the CPU time of a run, with rates measured for the shapes tiny and mini on one core."""
    train = settings.next
    body = find_config(settings.next.preset)
    width = body.hidden_size
    a_token = 2.5e-6 + body.n_layers * (4 * width + 3 * getattr(body, "ffn_size", 2 * width)) * width * 5e-11
    a_position = (4 ** (train.ks[-1] + 1) / 3 + 13 * width) * width * 3.7e-10
    total = 10 + bases * 4e-7
    for name in names:
        short = 1 / bases_per_token(name)
        read = (train.context_bp * short + 2) * a_token
        pretraining = train.pretrain_steps * (train.windows_per_step * (train.window_bp * short + 2) * a_token + 0.005)
        fits = settings.seeds * (
            pretraining + train.finetune_steps * (train.finetune_batch * (read + a_position) + 0.004)
            + train.n_test * (read + a_position) / 3
        )
        total += fits * (1 + 2 * settings.control / len(names))
        total += 0.5 * min(bases, settings.signals.count_bp) / 2e6
    return total


def choice_view(rows: Sequence[Row], signals: Sequence[Mapping[str, Any]], pick: Pick) -> Table:
    """Show one line a vocabulary: size, cheap signals, accuracy in percent, how far it is behind the best."""
    ks = sorted({row["k"] for row in rows})
    cheap = one_each(signals)
    shown = []
    for name, first in one_each(rows).items():
        mine = {row["k"]: row for row in rows if row["vocabulary"] == name}
        mark = " *" if name == pick.chosen else ""
        shown.append([
            name + mark, first["vocab_size"], cheap[name]["bases_per_token"], cheap[name]["bits_per_base"],
            *(100 * mine[k]["accuracy"] for k in ks), 100 * first["mean_accuracy"], 100 * first["behind"],
            100 * first["behind_low"], 100 * first["behind_high"],
        ])
    base = {row["k"]: row for row in rows}
    blank = [None] * 3
    markov = signals[0]["markov_bits_per_base"]
    shown.append(["Markov model", None, None, markov, *(100 * base[k]["baseline"] for k in ks), None, *blank])
    shown.append(["chance", None, None, 2.0, *(100 * base[k]["chance"] for k in ks), None, *blank])
    columns = ["vocabulary", "tokens", "bases/token", "bits/base", *(f"{k}-mers %" for k in ks), "mean %", "behind",
               "low", "high"]
    return Table("next-k-mer prediction and cheap signals (* recommended)", columns, shown)
