"""``lingome generate``: a FASTA, what is said of each sequence, and what stands beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from lingome.cli.main import main
from lingome.config.generate import GenerateSettings
from lingome.config.schema.settings import load_settings
from lingome.core.errors import ConfigError
from lingome.core.files import digest_file
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.presets import build_causal_lm, build_masked_lm
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer

ROOT = Path(__file__).parents[2]
NANO = DecoderConfig(hidden_size=32, n_layers=1, n_heads=2, n_kv_heads=2, ffn_size=64, max_positions=128)


def saved(folder: Path, tokenizer: Tokenizer) -> Path:
    save_checkpoint(folder, build_causal_lm(NANO, tokenizer.vocab_size, seed=1).eval(), tokenizer)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / "checkpoint", CharacterTokenizer())


def read(out: Path) -> list[tuple[dict[str, str], str]]:
    records = []
    for block in out.read_text().split(">")[1:]:
        header, *lines = block.splitlines()
        name, *pairs = header.split()
        records.append(({"name": name, **dict(pair.split("=") for pair in pairs)}, "".join(lines)))
    return records


def test_sequences_and_what_is_said_of_them(model: Path, tmp_path: Path, data_dir: Path):
    genome, out = data_dir / "ci" / "chr20_30M_32M.fa.gz", tmp_path / "out.fa"
    words = ["generate", "-m", str(model), "-o", str(out), "--n", "6", "--length", "90", "--prompt", "tataaa"]
    assert main([*words, "--training", str(genome), "--seed", "3", "--top-k", "7"]) == 0
    records = read(out)
    assert [header["name"] for header, _ in records] == [f"generated_{i}" for i in range(1, 7)]
    causal, tokenizer = load_checkpoint(model, "causal_lm")
    for header, sequence in records:
        assert len(sequence) == 96
        assert sequence.startswith("TATAAA")
        assert set(sequence) <= set("ACGT")
        ids = torch.tensor([[tokenizer.cls_id, *tokenizer.encode(sequence).input_ids.tolist()]])
        with torch.no_grad():
            log_probs = causal(ids)[0].log_softmax(dim=-1)[6:-1].gather(1, ids[0, 7:, None])
        assert float(header["log_likelihood"]) == pytest.approx(float(log_probs.sum()), abs=2e-3)
        assert float(header["bits_per_base"]) == pytest.approx(-float(log_probs.sum()) / math.log(2) / 90, abs=1e-3)
        assert 8 <= int(header["longest_match"]) <= 40
    made = json.loads((tmp_path / "out.fa.json").read_text())
    assert made["model_sha256"] == digest_file(model / "model.safetensors")
    assert (made["drawn"], made["rejected"], made["missing"], made["warnings"]) == (6, {}, 0, [])
    names = [row["name"] for row in made["comparison"]]
    assert names[0] == "model"
    assert names[1] == "the same model, random weights"
    assert names[2].startswith("Markov model of order ")
    assert names[3:] == ["uniform bases", "windows of the training data"]
    written = {row["name"]: (row["gc"], row["4mer_distance_bits"]) for row in made["comparison"]}
    assert written["model"] != written["the same model, random weights"]
    distance = {row["name"]: row["4mer_distance_bits"] for row in made["comparison"]}
    assert distance["windows of the training data"] < distance["model"]
    assert all(row["gc_low"] <= row["gc"] <= row["gc_high"] for row in made["comparison"])
    again = tmp_path / "again.fa"
    words[4] = str(again)
    assert main([*words, "--seed", "3", "--top-k", "7", "batch_size=4"]) == 0
    assert [sequence for _, sequence in read(again)] == [sequence for _, sequence in records]
    assert main([*words, "--seed", "4", "--top-k", "7", "--force"]) == 0
    assert [sequence for _, sequence in read(again)] != [sequence for _, sequence in records]


def test_a_sequence_copied_from_the_training_data_is_told(model: Path, tmp_path: Path):
    """Greedy from random weights runs into a loop; a training file that holds it whole gives the longest match."""
    out, genome = tmp_path / "out.fa", tmp_path / "g.fa"
    words = ["generate", "-m", str(model), "--method", "greedy", "--length", "50", "-o", str(out)]
    assert main(words) == 0
    ((_, sequence),) = read(out)
    genome.write_text(">1\n" + "GATTACA" * 20 + "\n>2\nCCGTAGC" + sequence + "NNACGTTGCA\n")
    assert main([*words, "--training", str(genome), "--force"]) == 0
    ((header, same),) = read(out)
    assert same == sequence
    assert header["longest_match"] == "50"


@pytest.mark.parametrize("tokenizer", [KmerTokenizer(6, overlap=False), BpeTokenizer([(8, 8), (5, 9)])])
def test_vocabularies_of_longer_tokens(tokenizer: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, out = saved(tmp_path / "checkpoint", tokenizer), tmp_path / "out.fa"
    assert main(["generate", "-m", str(folder), "--n", "3", "--length", "100", "-o", str(out)]) == 0
    assert [len(sequence) for _, sequence in read(out)] == [100] * 3
    assert ("byte pairs suit masked models" in capsys.readouterr().err) == (tokenizer.kind == "bpe")


def test_beams_come_best_first(model: Path, tmp_path: Path):
    out = tmp_path / "out.fa"
    words = ["generate", "-m", str(model), "--method", "beam", "beams=6", "--n", "4", "--length", "12", "-o", str(out)]
    assert main(words) == 0
    scores = [float(header["log_likelihood"]) for header, _ in read(out)]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("method", ["sample", "greedy"])
def test_letters_are_shown_as_they_are_made(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
):
    n = "2" if method == "sample" else "1"
    words = ["generate", "-m", str(model), "--method", method, "--n", n, "--length", "30", "--prompt", "ta"]
    assert main([*words, "-o", str(tmp_path / "whole.fa")]) == 0
    capsys.readouterr()
    assert main([*words, "-o", str(tmp_path / "shown.fa"), "--stream"]) == 0
    shown = capsys.readouterr().out.split()
    assert shown[0] == ">generated_1"
    records = (tmp_path / "whole.fa").read_text().split("\n")
    assert shown[1::2] == [line for line in records if line and line[0] != ">"]
    assert (tmp_path / "shown.fa").read_text() == (tmp_path / "whole.fa").read_text()
    for extra, said in ((["--method", "beam"], "beam"), (["max_run=3"], "max_run")):
        assert main([*words, "-o", str(tmp_path / "no.fa"), "--stream", "--n", "1", *extra]) == 2
        assert said in capsys.readouterr().err


def test_what_filters_take_away_is_said(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.fa"
    words = ["generate", "-m", str(model), "--n", "8", "--length", "60", "-o", str(out), "max_run=2", "attempts=2"]
    assert main(words) == 0
    said = capsys.readouterr().err
    made = json.loads((tmp_path / "out.fa.json").read_text())
    assert made["missing"] == 8 - len(read(out)) > 0
    assert f"{made['missing']} of 8 sequences are missing" in " ".join(said.split())
    assert made["drawn"] == made["rejected"]["max_run"] + len(read(out)) <= 16


def test_longer_than_the_context(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.fa"
    words = ["generate", "-m", str(model), "--length", "200", "-o", str(out)]
    assert main(words) == 3
    assert "too_long=slide" in capsys.readouterr().err
    assert main([*words, "too_long=slide"]) == 0
    assert [len(sequence) for _, sequence in read(out)] == [200]


def test_mistakes(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    masked, out = tmp_path / "masked", tmp_path / "out.fa"
    save_checkpoint(masked, build_masked_lm("nano", 9), CharacterTokenizer())
    for words, code, message in (
        (["-m", str(masked)], 3, "not a causal language model"),
        (["-m", str(tmp_path / "none")], 3, "there is no model"),
        ([], 2, "model"), (["-m", str(model), "--prompt", "ACNU"], 2, "does not know"),
        (["-m", str(model), "--method", "greedy", "--n", "2"], 2, "greedy gives 1"),
        (["-m", str(model), "--method", "beam", "--top-k", "2"], 2, "top_k"),
        (["-m", str(model), "beams=3"], 2, "beam"), (["-m", str(model), "min_length_bp=501"], 2, "above length_bp"),
        (["-m", str(model), "extra.fa"], 2, "plays no part"),
        (["-m", str(model), "letters=ACX"], 2, "alphabet"), (["-m", "random:gpt-nano"], 2, "gpt-mini"),
        (["-m", str(model), "--length", "50", "--training", str(tmp_path / "no.fa")], 3, "no.fa"),
    ):
        assert main(["generate", *words, "-o", str(out)]) == code, words
        assert message in " ".join(capsys.readouterr().err.split()), words
        assert not out.exists()
    assert main(["generate", "-m", str(model), "--length", "50", "-o", str(out), "--dry-run"]) == 0
    assert not out.exists()


def test_shipped_settings_are_valid():
    files = sorted((ROOT / "configs" / "generate").glob("*.yaml"))
    assert [file.stem for file in files] == ["beam", "sample"]
    for file in files:
        assert load_settings(GenerateSettings, file).n > 1
    with pytest.raises(ConfigError, match="temperature"):
        load_settings(GenerateSettings, None, ["model=m", "temperature=-1"])
