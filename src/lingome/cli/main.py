"""The command line: one file a command, imported only when it is called."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

import lingome
from lingome.core.errors import ConfigError, DataError, LingomeError
from lingome.core.processes import count_processes, is_first_process, process_rank

COMMANDS = {
    "demo": "From a genome to an answered question, in one go.",
    "doctor": "Say what this machine has, and whether lingome works on it.",
    "data": "List, fetch and check data.",
    "tokens": "Train, choose and apply vocabularies.",
    "model": "List, look at, count, import and export models.",
    "pretrain": "Pre-train a language model on sequence.",
    "finetune": "Teach a model to tell labelled sequences apart.",
    "evaluate": "Measure a model beside its baselines.",
    "predict": "Score sequences or sites with a fine-tuned model.",
    "score": "Say how likely a model finds sequences and variants.",
    "embed": "Turn sequences into vectors.",
    "generate": "Write sequence with a causal model.",
    "report": "Write the page of a run.",
}

SHARED = ("pretrain",)
"""Commands whose work several processes can share, when ``torchrun`` starts them."""

EPILOG = """Start with:  lingome demo

All commands take --help; those that write, --dry-run, -o and settings as key=value; and, where a network
trains or reads, --seed and --device."""

INTERRUPTED = 130
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def build_app(words: Sequence[str]) -> typer.Typer:
    """Assemble the command line for these words; only the command they name is imported."""
    app = typer.Typer(name="lingome", help=lingome.__doc__, epilog=EPILOG, add_completion=False)
    app.callback(invoke_without_command=True)(_top)
    asked = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        if name != asked:
            app.command(name, help=summary)(_not_imported)
            continue
        module = importlib.import_module(f"lingome.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, help=summary, no_args_is_help=True)
        else:
            app.command(name, help=module.command.__doc__, epilog=module.EXAMPLES)(module.command)
    return app


def _not_imported() -> None:
    """Stand in the list of commands for one that was not asked for."""


def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No messages, no bars.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")] = False,
) -> None:
    if version:
        sys.stdout.write(f"lingome {lingome.__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code; the only place where errors become codes.

    Parameters
    ----------
    words : sequence of str, optional
        Arguments after the program's name; those of the process by default.
    """
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    quiet = "--quiet" in words
    words = [word for word in words if word not in ("--debug", "--quiet")]
    quiet = quiet or not is_first_process()

    def call() -> int:
        code = build_app(words)(words, prog_name="lingome", standalone_mode=True)
        return int(code or 0)

    if not words or any(word in ("--help", "--version") for word in words):
        try:
            return _exit_code(call)
        except OSError as error:
            sys.stderr.write(f"error: standard output: {error.strerror}\n")
            return DataError.exit_code
    from lingome.core.progress import set_sink
    from lingome.core.terminal import TerminalSink

    sink = TerminalSink(quiet=quiet)
    set_sink(sink)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        _check_shared(words)
        code = _exit_code(call)
        if code == INTERRUPTED:
            sink.fail("interrupted")
        return code
    except LingomeError as error:
        if debug:
            raise
        sink.fail(f"error: {error}" if is_first_process() else f"process {process_rank()}: {error.what}")
        return error.exit_code
    except KeyboardInterrupt:
        sink.fail("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:
        if debug:
            raise
        sink.fail(f"error: {str(error.filename or 'a file')[:80]}: {error.strerror or error}")
        return DataError.exit_code
    except Exception as error:  # whatever nobody foresaw is our bug: exit code 1, and no traceback unless asked for
        if debug:
            raise
        if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
            sink.fail(
                f"error: this asks for more memory than there is\n  got:      {str(error).splitlines()[0][:200]}\n"
                "  try:      fewer or shorter sequences at a time, or a smaller model; --dry-run says what it takes"
            )
            return ConfigError.exit_code
        sink.fail(
            f"error: {type(error).__name__}: {error}\n"
            "  this is a bug in lingome; run again with --debug and report what it prints"
        )
        return 1
    finally:
        set_sink(None)


def _check_shared(words: Sequence[str]) -> None:
    """Refuse to run a command several times over, which torchrun would do with most of them."""
    asked = next((word for word in words if not word.startswith("-")), "")
    if count_processes() > 1 and asked in COMMANDS and asked not in SHARED:
        raise ConfigError(
            f"lingome {asked} runs in one process", got=f"{count_processes()} processes",
            expected=f"one; several share the work of: {', '.join(SHARED)}", hint="leave torchrun out",
        )


def _exit_code(call: Callable[[], int]) -> int:
    try:
        return call()
    except SystemExit as leave:
        if isinstance(leave.__context__, BrokenPipeError):  # `| head` has read enough
            return 0
        return leave.code if isinstance(leave.code, int) else 0


def _terminate(signum: int, frame: object) -> None:
    """Treat a request to stop (SIGTERM) as Ctrl-C, so that runs save their state."""
    raise KeyboardInterrupt


def entry() -> None:
    """Run the command line as a program."""
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
