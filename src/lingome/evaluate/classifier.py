"""Score labelled test sequences with a fine-tuned classifier."""

from __future__ import annotations

from typing import Literal

from lingome.core.errors import CheckpointError
from lingome.core.progress import say
from lingome.data.examples import Examples
from lingome.evaluate.baselines.classifiers import usable_splits
from lingome.evaluate.measures.metrics import best_threshold
from lingome.evaluate.measures.scores import Scored
from lingome.models.heads.classifier import SequenceClassifier
from lingome.tokens.tokenizer import Tokenizer
from lingome.tune.predict import predict_probabilities


def score_classifier(
    model: SequenceClassifier, tokenizer: Tokenizer, examples: Examples, name: str = "model",
    too_long: Literal["error", "truncate"] = "error",
) -> Scored:
    """Score the test examples; validation examples, if any, choose the threshold.

    Parameters
    ----------
    model : SequenceClassifier
        The fine-tuned model; it is used on the device it is on.
    tokenizer : Tokenizer
        The model's own.
    examples : Examples
        With a test split; unlabelled ones are not used. Its classes are taken for the model's, in their order.
    name : str
        What tables and messages call the model.
    too_long : {"error", "truncate"}
        Sequences beyond the context: refuse, or keep their beginning.

    Raises
    ------
    CheckpointError
        If the model's classes are not as many as those of the examples.
    DataError
        If there are no labelled test examples.
    """
    own = tuple(model.config.label_names)
    theirs = tuple(examples.label_names)
    if len(own) != len(theirs):
        raise CheckpointError(
            "the model's classes are not those of the table", where=name, got=", ".join(own), expected=", ".join(theirs)
        )
    if own != theirs:
        say(f"classes {', '.join(theirs)} of the table are taken for {', '.join(own)} of the model, in this order")
    _, valid, test = usable_splits(examples)
    chances = predict_probabilities(model, tokenizer, test.sequences, too_long=too_long, label="model")
    if chances.shape[1] > 2:
        return Scored(name, "model", test.labels, chances[None])
    threshold = 0.5
    if len(valid):
        judged = predict_probabilities(model, tokenizer, valid.sequences, too_long=too_long)
        threshold = best_threshold(valid.labels, judged[:, 1])
    return Scored(name, "model", test.labels, chances[None, :, 1], threshold=(threshold,))
