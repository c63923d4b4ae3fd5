import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.windows import TokenWindows
from lingome.train.sources import ExamplesSource, WindowSource

TOKENIZER = CharacterTokenizer()


def examples(lengths, **values):
    ids = [np.full(n, 5 + n % 4, dtype=np.uint16) for n in lengths]
    return ExamplesSource(ids, np.arange(len(lengths)), TOKENIZER, max_tokens=100, **{"seed": 0, **values})


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 150), min_size=1, max_size=60), st.integers(100, 600), st.integers(0, 5), st.integers(0, 3)
)
def test_every_example_comes_once_an_epoch_within_the_budget(lengths, batch_tokens, seed, epoch):
    source = examples(lengths, batch_tokens=batch_tokens, seed=seed)
    batches = [source.batch(epoch, i) for i in range(source.batches_per_epoch)]
    assert sorted(i for batch in batches for i in batch["labels"]) == list(range(len(lengths)))
    for batch in batches:
        assert batch["input_ids"].numel() <= batch_tokens
        assert batch["attention_mask"].sum(1).tolist() == [min(lengths[i] + 2, 100) for i in batch["index"]]


def test_little_is_padding():
    source = examples(np.random.default_rng(0).integers(10, 98, 500), batch_size=16)
    real = sum(int(source.batch(0, i)["attention_mask"].sum()) for i in range(source.batches_per_epoch))
    whole = sum(source.batch(0, i)["input_ids"].numel() for i in range(source.batches_per_epoch))
    assert real / whole > 0.9


def test_order_is_a_function_of_seed_and_epoch():
    def order(source, epoch):
        return [source.batch(epoch, i)["index"].tolist() for i in range(source.batches_per_epoch)]

    a, b = examples([20] * 30, batch_size=4), examples([20] * 30, batch_size=4)
    order(b, 5)
    assert order(a, 1) == order(b, 1)
    assert order(a, 1) != order(a, 2)
    assert order(a, 1) != order(examples([20] * 30, batch_size=4, seed=1), 1)


def test_no_examples_is_an_error():
    with pytest.raises(DataError, match="no sequences"):
        examples([], batch_size=4)


def test_windows_get_their_ends():
    windows = TokenWindows(
        np.arange(5, 305, dtype=np.uint16), np.array([[0, 300]]), max_tokens=30, min_tokens=5, batch_tokens=120, seed=1
    )
    source = WindowSource(windows, TOKENIZER)
    batch = source.batch(2, 7)["input_ids"]
    assert (batch[:, 0] == TOKENIZER.cls_id).all()
    assert (batch[:, -1] == TOKENIZER.sep_id).all()
    assert (batch[:, 1:-1] == windows.batch(2, 7)).all()
    assert source.batches_per_epoch == windows.steps_per_epoch
