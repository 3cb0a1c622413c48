"""`gradc export`: the parameters of a trained model in a form that other programs read."""

from __future__ import annotations

import argparse
from pathlib import Path

from gradc.failures import Failure, usage
from gradc.report import Outcome
from gradc.terminal import Terminal

SUMMARY = "write the parameters of a trained model as safetensors"

DESCRIPTION = """\
Write the parameters and states of a model that `gradc train` has fitted into a safetensors file, which
PyTorch, JAX and others read: each under its name, in the order of axes in which the model writes it. A bounded
parameter has the value that the model sees. `gradc train --from FILE.safetensors` takes such files in."""

EPILOG = """\
examples:
  gradc export fitted -o digits.safetensors
  gradc export fitted -o digits.safetensors --json    tell names, shapes and types"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder that `gradc train --out` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="a .safetensors file to write")


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Read the folder; write the file."""
    if arguments.output.suffix != ".safetensors":
        raise usage(f"{arguments.output} should end in .safetensors")

    from gradc.fitted import read
    from gradc.weights import save_safetensors

    fitted = read(arguments.folder)
    try:
        save_safetensors(arguments.output, fitted.parameters)
    except (ImportError, OSError) as error:
        raise Failure("file", str(error)) from error
    terminal.message(f"{arguments.output} written")
    parameters = [
        {"name": name, "shape": list(array.shape), "dtype": str(array.dtype)}
        for name, array in fitted.parameters.items()
    ]
    return Outcome({"model": fitted.module.MODEL, "parameters": parameters, "output": str(arguments.output)})
