"""`gradc inspect`: what a model is, its gradients as formulas first."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from textwrap import fill
from typing import Any

from gradc import options
from gradc.failures import Failure
from gradc.modules import compile_source, read
from gradc.modules import options as compiler_options
from gradc.report import Outcome
from gradc.terminal import Terminal

SUMMARY = "show the gradients as formulas"

DESCRIPTION = """\
Show the gradient of the objective by each parameter as a formula in the model's own names, and for each
named value its axes, its type, whether it is a leaf, whether it needs a gradient, and how it is computed.
The gradient by a parameter with bounds is shown twice: as the model sees the parameter, and by the free
number behind the bound, which is what is trained."""

EPILOG = """\
examples:
  gradc inspect decay.model                     all of it
  gradc inspect decay.model --wrt rate          one gradient
  gradc inspect decay.model --format latex      equations to paste into a paper
  gradc inspect decay.model --derivatives hessian    second derivatives instead
  gradc inspect decay.model --format json       for a program to read
  gradc inspect decay.model --explain           each rewriting: its rule, the formula before and after
  gradc inspect decay.model --stages            what each stage of the compiler makes of it"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `inspect`."""
    options.add_model(parser)
    parser.add_argument("--wrt", metavar="NAME", help="only the gradient by this parameter or named value")
    parser.add_argument(
        "--format", choices=("text", "latex", "json"), default="text", help="json is the same as --json (default: text)"
    )
    parser.add_argument("--explain", action="store_true", help="each rewriting that was done, and what it saves")
    parser.add_argument("--stages", action="store_true", help="the result of every stage, as a listing")
    options.add_derivatives(parser)
    options.add_compiling(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Compile as far as the simplified gradients, and show them."""
    terminal.json = terminal.json or arguments.format == "json"
    source = read(arguments.model)
    chosen = compiler_options(arguments)

    from gradc.compiler.graph import Program
    from gradc.compiler.inspect import (
        UnknownName,
        derivatives_json,
        derivatives_latex,
        derivatives_text,
        dump,
        explain_json,
        explain_text,
        forms,
        inspect_json,
        inspect_latex,
        inspect_text,
    )
    from gradc.compiler.pipeline import RULES, stages

    if arguments.stages:
        found = [
            {"stage": name, "text": dump(value) if isinstance(value, Program) else _listing(value)}
            for name, value in stages(source, chosen)
            if name != "derivatives"
        ]
        text = "\n".join(f"== {entry['stage']}\n{entry['text'].rstrip()}\n" for entry in found)
        return Outcome({"model": source.name, "stages": found}, text)
    compiled = compile_source(source, chosen)
    if arguments.explain:
        return Outcome(
            {"model": source.name, "rewrites": explain_json(compiled.prepared, compiled.rewrites)},
            explain_text(compiled.prepared, compiled.rewrites, RULES),
        )
    program, notes = compiled.program, forms(compiled.rewrites)
    show = inspect_latex if arguments.format == "latex" else inspect_text
    asked = compiled.derivatives
    if asked and arguments.format == "latex":
        return Outcome({"model": source.name, "derivatives": derivatives_json(asked)}, derivatives_latex(asked))
    if asked:
        return Outcome({"model": source.name, "derivatives": derivatives_json(asked)}, derivatives_text(asked))
    try:
        text = show(program, arguments.wrt)
        if arguments.format == "text" and arguments.wrt is None:
            text += "".join(f"\n{fill(note, 100)}\n" for note in notes)
        return Outcome({**inspect_json(program, arguments.wrt), "forms": notes}, text)
    except UnknownName as error:
        help = f"did you mean {error.nearest}?" if error.nearest else f"there is one for {', '.join(error.known)}"
        raise Failure("name", f"there is no gradient by {error.name!a}", help, {"known": list(error.known)}) from error


def _listing(value: object) -> str:
    """A text as it is; a syntax tree one node a line, places left out."""
    if isinstance(value, str):
        return value
    return "\n".join(f"{'  ' * depth}{line}" for depth, line in _walk(value))


def _walk(root: object) -> Iterator[tuple[int, str]]:
    waiting: list[tuple[int, str, Any]] = [(0, "", root)]
    while waiting:
        depth, label, value = waiting.pop()
        if is_dataclass(value):
            yield depth, f"{label}{type(value).__name__}"
            parts = [(f.name, getattr(value, f.name)) for f in fields(value) if f.name not in ("span", "source")]
            waiting += [(depth + 1, f"{name}: ", part) for name, part in reversed(parts) if part not in ((), None)]
        elif isinstance(value, tuple):
            yield depth, label.rstrip()
            waiting += [(depth + 1, "", part) for part in reversed(value)]
        else:
            yield depth, label + (json.dumps(value) if isinstance(value, str) else repr(value))
