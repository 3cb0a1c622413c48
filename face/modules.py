"""From a model's file to a module that runs.

Takes a path and options; gives the compiled model, and the module made of the text that the compiler has just verified.
Only the compiler's own text is ever executed: a file from elsewhere is not.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gradc.compiler.source import Source, nearest, read_source
from gradc.failures import Failure, usage
from gradc.files import cannot

if TYPE_CHECKING:
    from gradc.compiler.pipeline import Compiled, Options


WITHOUT = "GRADC_WITHOUT"
"""The environment variable that names passes and rules to leave out everywhere."""


def read(path: Path) -> Source:
    """The model's text. Failure where the file cannot be read, ModelError where it is no text."""
    try:
        return read_source(path)
    except OSError as error:
        raise cannot(f"read {path}", error) from error


def left_out(names: Sequence[str]) -> tuple[str, ...]:
    """The passes and rules to leave out: those named, and those in the environment."""
    always = os.environ.get(WITHOUT, "").replace(",", " ").split()
    return tuple(dict.fromkeys([*names, *always]))


def options(arguments: Namespace) -> Options:
    """The compiler's options, from a command's. Failure ("usage") where a pass or a rule is unknown."""
    from gradc.compiler.pipeline import PASSES, RULES, Options
    from gradc.compiler.simplify.rewrites import ALL

    without = left_out(arguments.without)
    for name in without:
        if name not in PASSES and name not in RULES and name != ALL:
            near = nearest(name, [*PASSES, *RULES])
            help = f"did you mean {near}?" if near else "`gradc inspect MODEL --explain` names the rules that are used"
            raise usage(f"there is no pass or rule {name!a}; the passes are {', '.join(PASSES)}", help)
    return Options(
        dtype=arguments.dtype,
        constants=dict(arguments.const),
        without=without,
        fast_algebra=arguments.fast_algebra,
        derivatives=derivatives(getattr(arguments, "derivatives", None) or ""),
        frozen=tuple(dict.fromkeys(arguments.freeze)),
        values=tuple(dict.fromkeys(getattr(arguments, "value", ()))),
        sparse=tuple(getattr(arguments, "sparse", ())),
    )


def derivatives(words: str) -> tuple[str, ...]:
    """The derivatives named, each once. Failure ("usage") where there is no such derivative."""
    from gradc.compiler.derivatives import KINDS

    names = tuple(dict.fromkeys(words.replace(",", " ").split()))
    for name in names:
        if name not in KINDS:
            near = nearest(name, KINDS)
            help = f"did you mean {near}?" if near else "write, for example, --derivatives hessian,hvp"
            raise usage(f"there is no derivative {name!a}; there are {', '.join(KINDS)}", help)
    return names


def compile_source(source: Source, chosen: Options) -> Compiled:
    """The compiled model. ModelError with every mistake found; Failure for a derivative or a name that it lacks."""
    from gradc.compiler.parts import UnknownPart
    from gradc.compiler.pipeline import UnknownDerivative, compile_model

    try:
        return compile_model(source, chosen)
    except UnknownDerivative as error:
        raise usage(str(error), "leave it out of --derivatives") from error
    except UnknownPart as error:
        raise Failure("name", f"{source.name} has no {error.kind} {error.name!a}", error.help) from error


def load(text: str, name: str) -> ModuleType:
    """The module that the compiler's text is, under `name`; nothing is written or left in `sys.modules`."""
    module = ModuleType(name)
    module.__file__ = f"<{name}, compiled by gradc>"
    exec(compile(text, module.__file__, "exec"), module.__dict__)
    return module


def data_error(error: ValueError) -> Failure:
    """A module's DataError, or the runtime's, as a failure."""
    return Failure("data", str(error))
