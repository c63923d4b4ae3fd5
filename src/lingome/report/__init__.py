"""Run directory in, page out. No torch. Called as a function, ``lingome.report(run)``, it writes the page of a run."""

from lingome.core.callable_package import make_callable

make_callable(__name__, "lingome.api.report", "report")
