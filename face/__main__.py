"""The command line `gradc`.

Takes the arguments; runs one command and gives the exit status: 0, or 1 for a mistake in the model or the data, a
failed check or a diverged training, 2 for a wrong command line, 3 for a bug of ours, 130 where it was interrupted. The
commands are rooms in `commands`; what they return or raise becomes words and JSON here, by `report`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from gradc.compiler import VERSION
from gradc.compiler.source import ModelError, nearest
from gradc.failures import BUG, FAILED, INTERRUPTED, OK, Failure, usage
from gradc.files import cannot
from gradc.report import Outcome, as_data, document, in_words
from gradc.terminal import Terminal

COMMANDS = ("compile", "inspect", "train", "fit", "predict", "export", "check", "help")

DESCRIPTION = """\
gradc is a gradient compiler: it reads a model written as mathematics (a .model file) and writes a plain
Python module that computes the model's value and its gradients and needs only NumPy."""

EPILOG = """\
examples:
  gradc compile thermometer.model                           write thermometer.py beside the model
  gradc inspect thermometer.model                           show each gradient as a formula
  gradc check thermometer.model                             compare three ways to the same gradient
  gradc train thermometer.model --data t.csv --out fitted   train on a CSV file
  gradc fit decay.model --data decay.csv                    estimates with their standard errors
  gradc predict fitted --data new.csv                       predict with what was trained
  gradc help softmax                                        explain a name of the language

exit status: 0 done; 1 a mistake in the model or in the data, a failed check, a diverged training, a fit
that did not converge; 2 a wrong command line; 3 a bug of gradc; 130 interrupted, what was reached being
saved.
`gradc COMMAND --help` tells more of each."""


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are failures like any other."""

    def error(self, message: str) -> NoReturn:
        raise usage(message, f"{self.prog} --help shows what can be given")


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="gradc",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"gradc {VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)
    for name in COMMANDS:
        room: Any = import_module(f"gradc.commands.{name}")
        sub = commands.add_parser(
            name,
            help=room.SUMMARY,
            description=room.DESCRIPTION,
            epilog=room.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        room.configure(sub)
        general = sub.add_argument_group("general")
        general.add_argument(
            "--json", action="store_true", help="one JSON document on standard output, also on failure"
        )
        general.add_argument(
            "--color", choices=("auto", "always", "never"), default="auto", help="colour of messages (default: auto)"
        )
        general.add_argument("--traceback", action="store_true", help="on a bug of gradc, print where it happened")
        sub.set_defaults(run=room.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name); the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Until the words are understood, these are guesses: a wrong command line is also told in JSON and in colour.
    terminal = Terminal(json="--json" in words)
    command = next((word for word in words if word in COMMANDS), None)
    debug = "--traceback" in words
    try:
        try:
            arguments = parser().parse_args(_known(words))
            terminal = Terminal(arguments.color, arguments.json)
            outcome: Outcome = arguments.run(arguments, terminal)
            status, errors = outcome.status, [entry for failure in outcome.failures for entry in as_data(failure)]
            for failure in outcome.failures:
                terminal.message(in_words(failure, terminal.color))
            if terminal.json:
                terminal.result(document(command, status, outcome.result, errors))
            elif outcome.text:
                terminal.result(outcome.text)
            return status
        except (Failure, ModelError) as error:
            status = error.status if isinstance(error, Failure) else FAILED
            return _failed(terminal, command, status, error)
        except MemoryError:
            return _failed(terminal, command, FAILED, Failure("memory", "there is not enough memory for this"))
        except KeyboardInterrupt:
            return _failed(terminal, command, INTERRUPTED, Failure("interrupted", "interrupted"))
        except BrokenPipeError:
            raise
        except OSError as error:
            return _failed(terminal, command, FAILED, cannot("go on", error))
        except Exception as error:
            return _failed(terminal, command, BUG, _bug(error, debug))
    except BrokenPipeError:
        # Whoever read our output has enough of it. Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _known(words: Sequence[str]) -> list[str]:
    """The words, unless the first is a misspelt command: then a failure that names the nearest."""
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        near = nearest(words[0], COMMANDS)
        help = f"did you mean {near}?" if near else f"the commands are {', '.join(COMMANDS)}"
        raise usage(f"there is no command {words[0]!a}", help)
    return list(words)


def _failed(terminal: Terminal, command: str | None, status: int, error: Failure | ModelError) -> int:
    terminal.message(in_words(error, terminal.color))
    if terminal.json:
        terminal.result(document(command, status, None, as_data(error)))
    return status


def _bug(error: Exception, debug: bool) -> Failure:
    """What is said of an exception that nothing expected; the traceback is kept for the report."""
    trace = "".join(traceback.format_exception(error))
    what = f"this is a bug in gradc {VERSION}: {type(error).__name__}"
    if debug:
        sys.stderr.write(trace)
        return Failure("internal", what, "please report it, with the model and what is printed above", status=BUG)
    head = f"gradc {VERSION}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    try:
        handle, path = tempfile.mkstemp(prefix="gradc-crash-", suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(head + trace)
    except OSError:
        return Failure("internal", what, "please report it; --traceback prints where it happened", status=BUG)
    return Failure("internal", what, f"please report it, with the model and {path}", {"crash_file": path}, BUG)


if __name__ == "__main__":
    sys.exit(main())
