"""Options that several commands share, so that one name means the same everywhere.

Takes a parser; adds to it. The types here turn a word of the command line into a value, or say what it should be.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

DTYPES = ("float64", "float32")


def add_model(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The model's file."""
    number = None if required else "?"
    parser.add_argument("model", type=Path, nargs=number, metavar="MODEL", help="the .model file")


def add_compiling(parser: argparse.ArgumentParser, dtype: bool = True) -> None:
    """What changes the module: its number type, its constants, and what the compiler may do."""
    group = parser.add_argument_group("compiling")
    if dtype:
        group.add_argument("--dtype", choices=DTYPES, default="float64", help="the module's numbers (default: float64)")
    group.add_argument(
        "--const",
        type=constant,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value for a `const` of the model; may be given several times",
    )
    group.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="leave out a pass (stable, algebra, expand, loops, tensor, pointwise, stack, factor, or all) or one of "
        "its rules, as tensor.merged; may be given several times",
    )
    group.add_argument(
        "--fast-algebra",
        action="store_true",
        help="multiply out polynomials of the data, such as the exponent of a Gaussian, so that a step needs one "
        "matrix product; float64 only, and only where the data are well conditioned, since it may cost digits",
    )
    group.add_argument(
        "--freeze",
        action="append",
        default=[],
        metavar="PATTERN",
        help="compute no gradient by the parameters of these names, as fc1.b or 'body.*', and leave them as they are; "
        "may be given several times",
    )


def add_values(parser: argparse.ArgumentParser) -> None:
    """Values that the module gives besides its outputs."""
    parser.add_argument(
        "--value",
        action="append",
        default=[],
        metavar="NAME",
        help="make a named value of the model an output besides; may be given several times",
    )


def add_derivatives(parser: argparse.ArgumentParser) -> None:
    """Functions that the module has besides the gradient."""
    parser.add_argument(
        "--derivatives",
        metavar="NAME,...",
        help="functions that the module has besides, of grad, vjp, jvp, hvp, hessian, jacobian and residuals, as "
        "hessian,hvp",
    )


def add_sparse(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Parameters whose gradients come by rows."""
    parser.add_argument(
        "--sparse",
        action="append",
        default=[],
        metavar="PATTERN",
        help="give the gradients of parameters of such names by the rows that are gathered; may be given several times",
    )


def add_data(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Where data comes from."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        required=required,
        metavar="FILE",
        help="a .csv, .tsv, .parquet, .arrow, .npy, .npz or .h5 file; several are taken together",
    )
    group.add_argument(
        "--map",
        type=pair,
        action="append",
        default=[],
        metavar="INPUT=COLUMN",
        help="take an input from a column of another name; INPUT=A,B,C, INPUT=[A,B,C] or INPUT=PREFIX* stacks columns "
        "along the input's last axis; in HDF5 a column is a path, GROUP/NAME",
    )
    group.add_argument(
        "--on-nan",
        choices=("error", "drop"),
        default="error",
        help="what to do about a row in which something is missing, NaN or infinite: refuse the data, or leave the row "
        "out and say so (default: error)",
    )


def add_validation(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Rows that are held out of a training."""
    parser.add_argument(
        "--validation",
        type=fraction_or_file,
        metavar="FRACTION|FILE",
        help="rows that are not trained on: a fraction of the data such as 0.2, chosen by --seed, or those of a file",
    )


def fraction_or_file(word: str) -> float | Path:
    """A number between 0 and 1, or a path."""
    try:
        number = float(word)
    except ValueError:
        return Path(word)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{word!a} should be a fraction between 0 and 1, or a file")
    return number


def constant(word: str) -> tuple[str, float]:
    """`name=value`."""
    name, value = pair(word)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{word!a} should be a name and a number, as in l2=0.1")
    return name, number


def pair(word: str) -> tuple[str, str]:
    """`left=right`."""
    left, equals, right = word.partition("=")
    if not (left and equals and right):
        raise argparse.ArgumentTypeError(f"{word!a} should have the form name=value")
    return left, right


def natural(word: str) -> int:
    """A whole number from 0."""
    try:
        number = int(word)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word!a} should be a whole number from 0")
    return number


def positive(word: str) -> int:
    """A whole number from 1."""
    try:
        number = int(word)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word!a} should be a whole number from 1")
    return number


def not_negative(word: str) -> float:
    """A finite number from 0."""
    number = finite(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word!a} should not be negative")
    return number


def finite(word: str) -> float:
    """A finite number."""
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{word!a} should be a number")
    return number
