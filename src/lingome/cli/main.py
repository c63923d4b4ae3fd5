"""The program: words in, exit code out; the only place where errors become codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

import click

from lingome.cli.app import build_app
from lingome.core.errors import ConfigError, DataError, LingomeError
from lingome.core.processes import is_first_process, process_rank

INTERRUPTED = 130
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    Parameters
    ----------
    words : sequence of str, optional
        Arguments after the program's name; those of the process by default.

    Raises
    ------
    Exception
        With ``--debug``, whatever went wrong.
    """
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    quiet = "--quiet" in words or not is_first_process()
    words = [word for word in words if word not in ("--debug", "--quiet")]
    if _only_reads(words):
        return _run(words, _write_error, debug=debug)
    from lingome.core.progress import set_sink
    from lingome.core.terminal import TerminalSink

    sink = TerminalSink(quiet=quiet, as_json="--json" in words)
    set_sink(sink)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(words, sink.fail, debug=debug)
    finally:
        set_sink(None)


def _only_reads(words: Sequence[str]) -> bool:
    """Say whether only help, the version or a completion is asked for, which needs no terminal."""
    return not words or "_LINGOME_COMPLETE" in os.environ or any(word in ("--help", "--version") for word in words)


def _run(words: Sequence[str], fail: Callable[[str], None], *, debug: bool) -> int:
    """Run the words; turn what goes wrong into a message and an exit code."""
    try:
        return _call(words)
    except LingomeError as error:
        if debug:
            raise
        fail(f"error: {error}" if is_first_process() else f"process {process_rank()}: {error.what}")
        return error.exit_code
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        return 0
    except OSError as error:
        if debug:
            raise
        fail(f"error: {str(error.filename or 'standard output')[:80]}: {error.strerror or error}")
        return DataError.exit_code
    except Exception as error:  # whatever nobody foresaw is our bug: exit code 1, and no traceback unless asked for
        if debug:
            raise
        if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
            fail(
                f"error: this asks for more memory than there is\n  got:      {str(error).splitlines()[0][:200]}\n"
                "  try:      fewer or shorter sequences at a time, or a smaller model; --dry-run says what it takes"
            )
            return ConfigError.exit_code
        fail(
            f"error: {type(error).__name__}: {error}\n"
            "  this is a bug in lingome; run again with --debug and report what it prints"
        )
        return 1


def _call(words: Sequence[str]) -> int:
    app = build_app()
    if "_LINGOME_COMPLETE" in os.environ:
        from lingome.cli.complete import answer_shell

        return answer_shell(app)
    try:
        with app.make_context("lingome", list(words)) as context:
            app.invoke(context)
        return 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code


def _write_error(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def _terminate(signum: int, frame: object) -> None:
    """Treat a request to stop (SIGTERM) as Ctrl-C, so that runs save their state."""
    raise KeyboardInterrupt


def entry() -> None:
    """Run the command line as a program.

    Raises
    ------
    SystemExit
        Always, with the exit code.
    """
    # Threads of torch that wait for each other spin for long, which starves them on a busy machine;
    # a short spin is as fast on a quiet one. Has to be set before torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    code = main()
    try:
        sys.stdout.flush()
    except OSError:
        # It was told already, or nobody reads on; Python would try once more at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(code)
