"""Honest measures of models. Called as a function, ``lingome.evaluate(model, task)``, it measures one."""

from lingome.core.callable_package import make_callable

make_callable(__name__, "lingome.api.evaluate", "evaluate")
