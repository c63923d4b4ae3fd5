"""The packaged model in transformers: the same ids, the same logits, on real sequence."""

from pathlib import Path

import torch
from tokenizers import Tokenizer as FastTokenizer
from transformers import AutoModelForMaskedLM

from lingome.data.genome import Genome
from lingome.models.checkpoint import load_masked_lm
from lingome.tune.start import packaged_models


@torch.no_grad()
def test_human_mini_gives_the_same_ids_and_logits_in_transformers(data_dir: Path):
    folder = packaged_models()["human-mini"]
    model, tokenizer = load_masked_lm(folder)
    text = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M", 500_000, 501_000)
    ids = tokenizer.encode(text).input_ids.astype(int).tolist()
    fast = FastTokenizer.from_file(str(folder / "tokenizer.json"))
    assert fast.encode(text.tobytes().decode().lower()).ids == [2, *ids, 3]
    input_ids = torch.tensor([[2, *ids, 3]])
    theirs = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()(input_ids).logits
    ours = model.eval()(input_ids, None, None)
    assert float((ours - theirs).abs().max()) < 1e-4  # trained weights: logits of some tens
    assert float(ours.abs().max()) > 5
