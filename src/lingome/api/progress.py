"""Who shows messages and bars where no command line runs: the notebook, or the terminal of a Python shell."""

from __future__ import annotations

from lingome.core.notebook import NotebookSink, in_notebook
from lingome.core.progress import has_sink, set_sink

_wanted = True


def show_progress(shown: bool = True) -> None:
    """Show messages and progress bars, or keep silent.

    They are shown by default: in a notebook below the cell, else on standard error.

    Parameters
    ----------
    shown : bool
        Whether to show them from now on.

    Examples
    --------
    >>> import lingome as lg
    >>> lg.show_progress(False)
    """
    global _wanted
    _wanted = shown
    set_sink(None)
    listen()


def listen() -> None:
    """Show messages and bars from now on, unless somebody does already or nobody wants them."""
    if has_sink() or not _wanted:
        return
    if in_notebook():
        set_sink(NotebookSink())
    else:
        from lingome.core.terminal import TerminalSink

        set_sink(TerminalSink())
