"""Messages and bars reach a notebook and a Python shell, once."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import lingome as lg
from lingome.api.progress import listen
from lingome.core import progress
from lingome.core.notebook import NotebookSink, in_notebook
from lingome.core.progress import say, set_sink, track
from lingome.core.terminal import TerminalSink


class ZMQInteractiveShell:
    """The class that a kernel's shell has."""


@pytest.fixture(autouse=True)
def _silent_again():
    yield
    lg.show_progress(True)
    set_sink(None)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pretend to be the kernel of a notebook; gives what is displayed and drawn anew."""
    shown: list[str] = []
    display = ModuleType("IPython.display")
    display.HTML = lambda text: text

    def show(text, display_id):
        assert display_id
        shown.append(text)
        return SimpleNamespace(update=shown.append)

    display.display = show
    ipython = ModuleType("IPython")
    ipython.get_ipython = ZMQInteractiveShell
    ipython.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_gets_messages_and_a_bar_that_goes_away(drawn: list[str], capsys, monkeypatch):
    monkeypatch.setattr("lingome.core.notebook.REDRAW_S", 0.0)
    assert in_notebook()
    set_sink(None)
    listen()
    assert isinstance(progress._sink, NotebookSink)
    say("hello")
    with track("reading <b>", 10, "bases") as task:
        task.advance(5, "half")
    assert capsys.readouterr().out == "hello\n"
    assert "reading &lt;b&gt;" in drawn[0]
    assert 'value="5" max="10"' in drawn[1]
    assert "50%" in drawn[1]
    assert "half" in drawn[1]
    assert drawn[-1] == ""


def test_a_bar_without_a_total_counts(drawn: list[str]):
    set_sink(NotebookSink())
    with track("counting", unit="rows") as task:
        task.advance(3)
    assert "0 rows" in drawn[0]


def test_a_shell_gets_messages_on_standard_error(capsys):
    assert not in_notebook()
    set_sink(None)
    listen()
    assert isinstance(progress._sink, TerminalSink)
    say("hello")
    assert capsys.readouterr().err == "hello\n"


def test_nobody_is_told_who_does_not_want_to_be(capsys):
    lg.show_progress(False)
    listen()
    say("hello")
    assert progress._sink is None
    assert capsys.readouterr() == ("", "")


def test_a_sink_that_is_there_stays():
    sink = TerminalSink(quiet=True)
    set_sink(sink)
    listen()
    assert progress._sink is sink
