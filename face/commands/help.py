"""`gradc help`: the reference's page of a name of the language or of its library."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from gradc.failures import Failure
from gradc.report import Outcome
from gradc.terminal import Terminal

SUMMARY = "explain a name of the language"

DESCRIPTION = """\
Print what the reference says of a statement, an operation or a library function: what it means, which axes
it takes and gives, its derivative at the corners, and a model that uses it. Without a name, list them all."""

EPILOG = """\
examples:
  gradc help                 every name, group by group
  gradc help logsumexp       one page
  gradc help nn.LayerNorm    one of the library"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `help`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a word or a sign of the language, or a library's name")


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Find the page and print it."""
    from gradc.compiler.manual import contents, entries, find, plain
    from gradc.compiler.source import nearest

    if arguments.name is None:
        names = [{"group": entry.group, "names": list(entry.names)} for entry in entries()]
        return Outcome({"entries": names}, contents(entries()))
    entry = find(arguments.name)
    if entry is None:
        known = [name for entry in entries() for name in entry.names]
        near = nearest(arguments.name, known)
        help = f"did you mean {near}?" if near else "gradc help lists all names"
        raise Failure("name", f"the reference has no page on {arguments.name!a}", help, {"known": known})
    return Outcome(asdict(entry), plain(entry) + "\n")
