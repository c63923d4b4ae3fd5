"""The packaged models on real sequence: in transformers, and against the frequencies of bases."""

import math
from pathlib import Path

import torch
from tokenizers import Tokenizer as FastTokenizer
from transformers import AutoModelForMaskedLM

from lingome.data.genome import Genome
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.models.open import packaged_models


@torch.no_grad()
def test_human_mini_gives_the_same_ids_and_logits_in_transformers(data_dir: Path):
    folder = packaged_models()["human-mini"]
    model, tokenizer = load_checkpoint(folder, "masked_lm")
    text = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M", 500_000, 501_000)
    ids = tokenizer.encode(text).input_ids.astype(int).tolist()
    fast = FastTokenizer.from_file(str(folder / "tokenizer.json"))
    assert fast.encode(text.tobytes().decode().lower()).ids == [2, *ids, 3]
    input_ids = torch.tensor([[2, *ids, 3]])
    theirs = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()(input_ids).logits
    ours = model.eval()(input_ids, None, None)
    assert float((ours - theirs).abs().max()) < 1e-4  # trained weights: logits of some tens
    assert float(ours.abs().max()) > 5


@torch.no_grad()
def test_human_dilated_guesses_single_bases_better_than_their_frequencies(data_dir: Path):
    """Every eighth base hidden, on a stretch that it has read: 1.9 bits a base at most, where frequencies need 1.98."""
    model, tokenizer = load_checkpoint(packaged_models()["human-dilated"], "masked_lm")
    text = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M", 500_000, 520_480)
    ids = torch.from_numpy(tokenizer.encode(text).input_ids.astype("int64")).view(20, 1024)
    hidden = torch.zeros_like(ids, dtype=torch.bool)
    hidden[:, 4::8] = True
    logits = model(ids.masked_fill(hidden, tokenizer.mask_id), None, hidden)
    targets = ids[hidden]
    bits = float(torch.nn.functional.cross_entropy(logits, targets)) / math.log(2)
    shares = torch.bincount(targets - 5, minlength=4) / len(targets)
    assert bits < float(-(shares * shares.log2()).sum()) - 0.05
