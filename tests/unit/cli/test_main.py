"""Exit codes, and what goes to which stream."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from lingome.cli.main import main
from lingome.config.data import ListSettings
from lingome.config.workflows import GROUPS, WORKFLOWS
from lingome.core.errors import CheckpointError, ConfigError, DataError, Interrupted, MissingExtraError
from lingome.core.outcome import Outcome, Table

CALLS = [[name] for name in GROUPS] + [name.split() for name in WORKFLOWS]
PROGRAM = [sys.executable, "-c", "from lingome.cli.main import entry; entry()"]


def answer_with(monkeypatch: pytest.MonkeyPatch, give: Callable[[], Outcome]) -> None:
    """Let ``lingome data list`` do something else."""

    def answer(settings: ListSettings) -> Outcome:
        return give()

    monkeypatch.setattr("lingome.recipes.data.list_catalog", answer)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("wrong setting", where="lr", got=3, expected=4, hint="lr=4"), 2,
         "error: lr: wrong setting\n  got:      3\n  expected: 4\n  try:      lr=4\n"),
        (DataError("bad line", where="a.bed:3"), 3, "error: a.bed:3: bad line\n"),
        (CheckpointError("cut short", where="model"), 3, "error: model: cut short\n"),
        (MissingExtraError("this needs a package", hint='pip install "lingome[hf]"'), 4, 'pip install "lingome[hf]"'),
        (Interrupted("stopped", hint="--resume"), 130, "--resume"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (ValueError("oh"), 1, "this is a bug in lingome; run again with --debug"),
        (BrokenPipeError(errno.EPIPE, "nobody reads"), 0, ""),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Outcome:
        raise error

    answer_with(monkeypatch, fail)
    assert main(["data", "list"]) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_debug_shows_where_an_error_arose(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Outcome:
        raise DataError("bad line")

    answer_with(monkeypatch, fail)
    with pytest.raises(DataError, match="bad line"):
        main(["data", "list", "--debug"])


@pytest.mark.parametrize(("flags", "message"), [([], "for people\n"), (["--quiet"], "")])
def test_data_goes_to_stdout_and_messages_to_stderr(
    flags: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome("for people", tables=[Table("title", ("name", "value"), [("x", 0.25), ("y", None)])])
    answer_with(monkeypatch, lambda: outcome)
    assert main([*flags, "data", "list"]) == 0
    assert capsys.readouterr() == ("name\tvalue\nx\t0.250\ny\t\n", message)


def test_quiet_keeps_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "nowhere.fa", "--quiet"]) == 3
    assert "nowhere.fa: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["finetine", "x"], "Did you mean 'finetune'"),
        (["tokens", "trian"], "Did you mean 'train'"),
        (["data", "frobnicate"], "No such command 'frobnicate'"),
        (["doctor", "--devise", "cpu"], "--device"),
        (["--versoin"], "--version"),
        (["doctor", "devise=cpu"], "did you mean 'device'"),
        (["doctor", "--seed", "x"], "'--seed'"),
        (["doctor", "seed=x"], "seed: Input should be a valid integer"),
        (["tokens", "show"], "the setting 'tokenizer' is needed"),
    ],
)
def test_words_that_are_not_understood(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert said in " ".join(shown.err.replace("│", " ").split())
    assert shown.out == ""


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_help_shows_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr()
    assert f"lingome {words[0]}" in shown.out.partition("Example")[2]
    assert shown.err == ""


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*PROGRAM, "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.7
    code = (
        "import contextlib, io, sys\nfrom lingome.cli.main import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()): [main([*words, '--help']) for words in {CALLS}]\n"
        "print(*sorted({'torch', 'numba', 'sklearn', 'scipy', 'numpy', 'altair', 'pysam'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == "\n"


@pytest.mark.parametrize("words", [["data", "list"], ["--help"]], ids=" ".join)
def test_a_reader_that_leaves_early_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run([*PROGRAM, *words], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["data", "list"], ["--version"]], ids=" ".join)
def test_a_disk_that_is_full_behind_stdout(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill(text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    answer_with(monkeypatch, lambda: Outcome(text="data\n"))
    monkeypatch.setattr(sys.stdout, "write", fill)
    assert main(words) == 3
    assert "error: standard output: " in capsys.readouterr().err
