"""Ways to adapt a model, as values: which of its weights learn.

=============  =====================================================================
``features``   none but a linear head on the mean-pooled output of the frozen body
``last:N``     the last N layers, the final norm and the head
``full``       everything
=============  =====================================================================
"""

from __future__ import annotations

from torch import nn

from lingome.core.errors import ConfigError
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.networks.word2vec.model import StaticEmbeddings


def method_title(method: str) -> str:
    """Give the name of a method for tables.

    >>> method_title("last:2")
    'last 2 layers'
    """
    if method == "features":
        return "frozen features"
    if method == "full":
        return "all layers"
    n_layers = last_n(method)
    return f"last {n_layers} layers" if n_layers > 1 else "last layer"


def method_group(method: str) -> str:
    """Give what a method belongs to in a chart.

    >>> method_group("last:2")
    'last layers'
    """
    return {"features": "frozen", "full": "all layers"}.get(method, "last layers")


def trainable_parameters(model: SequenceClassifier, method: str) -> list[nn.Parameter]:
    """Freeze what a method leaves alone, and give what it trains.

    Frozen weights below the trained layers need no gradient, and neither does what they compute,
    so PyTorch records and walks back through the trained layers only.

    Parameters
    ----------
    model : SequenceClassifier
        Changed in place: ``requires_grad`` of every parameter is set.
    method : str
        ``features``, ``last:N`` or ``full``.

    Raises
    ------
    ConfigError
        If there is no such method, N is more than the model's layers, or the body is a table of static vectors and
        the method is not ``features``.
    """
    if isinstance(model.body, StaticEmbeddings):
        _check_static(method)
    for parameter in model.parameters():
        parameter.requires_grad_(method == "full")
    trained: list[nn.Module] = [model.head]
    if method not in ("features", "full"):
        assert not isinstance(model.body, StaticEmbeddings), "checked above"
        n_layers = last_n(method)
        there = len(model.body.layers)
        if n_layers > there:
            known = f"last:1 to last:{there}"
            raise ConfigError("the model has fewer layers", where="method", got=method, expected=known)
        trained += [*list(model.body.layers)[there - n_layers:], model.body.final_norm]
    for module in trained:
        module.requires_grad_(True)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _check_static(method: str) -> None:
    """Refuse what needs more than a table; a misspelt method gets its own message."""
    if method != "features":
        title = method_title(method)
        raise ConfigError(
            f"a table of static vectors has no layers to train ({title})", where="method", got=method,
            expected="features", hint="pre-train a model with lingome pretrain to train its layers",
        )


def last_n(method: str) -> int:
    """Give N of ``last:N``.

    Raises
    ------
    ConfigError
        If it is no such method.
    """
    name, _, number = method.partition(":")
    if name != "last" or not number.isdecimal() or int(number) < 1:
        raise ConfigError(
            f"no way to adapt a model is called {method!r}", where="method", expected="features, last:N or full"
        )
    return int(number)
