"""Trained vectors are gensim's own, bit for bit, on sentences that gensim is given as lists of words."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gensim.models import Word2Vec

from lingome.core.seeds import derive_seed, generator
from lingome.train.word2vec import Word2VecSettings, train_word2vec


@pytest.mark.parametrize(("algorithm", "sg"), [("cbow", 0), ("skipgram", 1)])
def test_one_pass_equals_gensim(algorithm: str, sg: int) -> None:
    random = np.random.default_rng(1)
    ids = random.choice(np.arange(5, 60), 5300, p=np.arange(1, 56) / 1540).astype(np.uint16)
    segments = np.array([[0, 2500], [2500, 5300]])
    settings = {"window": 4, "epochs": 1}
    ours = train_word2vec(
        ids, segments, 60,
        Word2VecSettings(algorithm="skipgram" if sg else "cbow", dims=12, negatives=3, **settings), seed=9,
    ).table
    cuts = [0, 1000, 2000, 2500, 3500, 4500, 5300]
    sentences = [[str(i) for i in ids[a:b]] for a, b in itertools.pairwise(cuts)]
    order = generator(9, "sentences", 0).permutation(len(sentences))
    model = Word2Vec(
        vector_size=12, negative=3, sg=sg, min_count=1, sample=0, workers=1, seed=derive_seed(9, "word2vec") % 2**32,
        **settings,
    )
    counts = np.bincount(ids, minlength=60)
    model.build_vocab_from_freq({str(i): int(counts[i]) for i in range(60) if counts[i]})
    model.train([sentences[i] for i in order], total_examples=6, epochs=1)
    for word in model.wv.index_to_key:
        assert np.array_equal(ours[int(word)], model.wv[word])
    assert len(model.wv) == int((counts > 0).sum()) == int((np.abs(ours).sum(axis=1) > 0).sum())
