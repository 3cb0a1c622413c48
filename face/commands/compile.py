"""`gradc compile`: a model in, its NumPy module out, or word that the module on disk is stale."""

from __future__ import annotations

import argparse
from pathlib import Path

from gradc import options
from gradc.failures import FAILED, Failure, usage
from gradc.files import cannot, refuse_foreign, refuse_special, write_text
from gradc.modules import compile_source, read
from gradc.modules import options as compiler_options
from gradc.report import Outcome
from gradc.terminal import Terminal

SUMMARY = "write the NumPy module of a model"

DESCRIPTION = """\
Compile a model to a Python module that computes its loss, gradient, outputs and metrics with NumPy alone.
The module stands beside the model unless -o says otherwise. The same model, options and version give the
same bytes on every machine."""

EPILOG = """\
examples:
  gradc compile thermometer.model                  write thermometer.py
  gradc compile thermometer.model -o -             print the module
  gradc compile logistic.model --const l2=0.1      with another value for `const l2`
  gradc compile digits.model --dtype float32       compute in single precision
  gradc compile thermometer.model --check          fail if thermometer.py is not what would be written
  gradc compile decay.model --without pointwise    leave a pass out, to see what it does
  gradc compile mixture.model --fast-algebra       multiply out polynomials of the data
  gradc compile decay.model --derivatives hvp      with products of second derivatives and a vector
  gradc compile digits.model --freeze 'fc1.*'      without gradients by the first layer
  gradc compile logistic.model --value z           with the named value z as an output
  gradc compile words.model --sparse vector        the gradient of a table by the rows that occur"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `compile`."""
    options.add_model(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write; - is standard output")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the module there is stale")
    parser.add_argument("--force", action="store_true", help="write over a file that gradc did not write")
    options.add_derivatives(parser)
    options.add_values(parser)
    options.add_sparse(parser)
    options.add_compiling(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Compile; write, print or compare."""
    to_stdout = arguments.output == "-"
    if to_stdout and arguments.check:
        raise usage("--check compares with a file, and -o - names none")
    target = Path(arguments.output) if arguments.output else arguments.model.with_suffix(".py")
    if target == arguments.model or (target.exists() and arguments.model.exists() and target.samefile(arguments.model)):
        raise usage("the module cannot be written over the model itself", "-o names another file")
    source = read(arguments.model)
    chosen = compiler_options(arguments)
    compiled = compile_source(source, chosen)
    result = {
        "model": source.name,
        "dtype": chosen.dtype,
        "constants": dict(chosen.constants),
        "without": list(chosen.without),
        "fast_algebra": chosen.fast_algebra,
        "derivatives": list(chosen.derivatives),
        "frozen": list(chosen.frozen),
        "values": list(chosen.values),
        "sparse": list(chosen.sparse),
        "output": None if to_stdout else str(target),
    }
    if to_stdout:
        return Outcome({**result, "module": compiled.module, "written": False}, compiled.module)
    if arguments.check:
        stale = _before(target) != compiled.module.encode()
        failure = Failure("stale", f"{target} is not what {source.name} compiles to", "gradc compile writes it anew")
        return Outcome({**result, "stale": stale}, "", FAILED if stale else 0, [failure] if stale else [])
    refuse_foreign(target, arguments.force)
    changed = _before(target) != compiled.module.encode()
    if changed:
        write_text(target, compiled.module)
    terminal.message(f"{target} written" if changed else f"{target} is up to date")
    return Outcome({**result, "written": changed})


def _before(target: Path) -> bytes | None:
    """What the file holds, None where there is none."""
    refuse_special(target)
    try:
        return target.read_bytes() if target.exists() else None
    except OSError as error:
        raise cannot(f"read {target}", error) from error
