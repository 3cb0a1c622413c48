"""What can go wrong after compilation. Each is a type with fields; `str` says what is wrong and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(eq=False)
class SeedMissing(ValueError):
    """A backward pass from something that is not a scalar, without a cotangent to start from."""

    name: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"`{self.name}` has shape {self.shape}, and a gradient starts from a scalar: give a seed of that shape, "
            f"for example backward(seed=numpy.ones({self.shape}), name={self.name!r})"
        )


@dataclass(eq=False)
class NothingToDifferentiate(ValueError):
    """A backward pass from a name that is no output, or from no name where none is clear."""

    name: str | None
    known: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(self.known) or "none"
        if self.name is None:
            return f"the model has no objective: name the output to start from, backward(seed, name=...), of {names}"
        return f"there is no differentiable output {self.name!r}; there are {names}"


@dataclass(eq=False)
class UnknownValue(ValueError):
    """A name that no value of the model has. `near` is the most alike, or None."""

    name: str
    known: tuple[str, ...]
    near: str | None

    def __str__(self) -> str:
        help = f"did you mean {self.near!r}?" if self.near else f"there are {', '.join(self.known) or 'none'}"
        return f"the model has no value {self.name!r}: {help}"


@dataclass(eq=False)
class NotCompiled(ValueError):
    """What only the compiler can give, of a session that has a module alone. `what` says what is asked for."""

    what: str

    def __str__(self) -> str:
        return f"this module has no {self.what}: gradc.compile(...).session(data) makes a session that compiles it"


@dataclass(eq=False)
class NoDerivative(ValueError):
    """A value that has no gradient, or from which none starts; `why` says so, and what to do."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"there is no derivative for {self.name!r}: {self.why}"


@dataclass(eq=False)
class AllFrozen(ValueError):
    """A backward pass that would reach only parameters with `requires_grad` False."""

    name: str
    frozen: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"every parameter that {self.name!r} depends on is frozen ({', '.join(self.frozen)}): "
            f"session.requires_grad_(True, {self.frozen[0]!r}) lets one have a gradient again"
        )


@dataclass(eq=False)
class SeedShape(ValueError):
    """A seed of another shape than the value that it is for; a length that is not known is None."""

    name: str
    shape: tuple[int | None, ...]
    found: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"the seed of {self.name!r} has shape {self.found}, and {self.name!r} has {self.shape}: "
            f"a seed is the gradient of something by {self.name!r}, and has a number for each of its own"
        )


@dataclass(eq=False)
class SparseGradient(ValueError):
    """A gradient that comes by rows, for an optimiser that does not take it, or not with these options."""

    optimizer: str
    parameter: str
    option: str | None = None

    def __str__(self) -> str:
        with_ = f" with {self.option}" if self.option is not None else ""
        return (
            f"{self.optimizer}{with_} does not take sparse gradients, and that of `{self.parameter}` is one: use "
            "SparseAdam, Adagrad or plain SGD, or compile without `sparse`"
        )


@dataclass(eq=False)
class SeveralObjectives(ValueError):
    """A loss or a backward pass without a name, of a model that has several objectives."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"the model has several objectives: name one of {', '.join(self.names)}"


@dataclass(eq=False)
class NoSuchDerivative(AttributeError):
    """A derivative beyond the gradient that the module was compiled without."""

    name: str

    def __str__(self) -> str:
        return f"the module has no {self.name}: compile it with derivatives=({self.name!r},)"


@dataclass(eq=False)
class Diverged(ArithmeticError):
    """A loss or a gradient that is not finite. `theta` is the last vector at which both were, `at` the one behind it,
    at which they are not; `rows` are the rows of the minibatch, None where it was all of them.

    `step` counts from 0; `parameter` is the first whose gradient is not finite, None where the loss itself is not;
    `objective` is the one whose step it was, None where there is one only.
    """

    step: int
    epoch: int
    loss: float
    parameter: str | None
    theta: npt.NDArray[Any]
    objective: str | None = None
    at: npt.NDArray[Any] | None = None
    rows: npt.NDArray[Any] | None = None

    def __str__(self) -> str:
        what = "the loss" if self.objective is None else self.objective
        if self.parameter is None:
            return f"{what} is {self.loss} at step {self.step}"
        return f"the gradient of {self.parameter} is not finite at step {self.step}, where {what} is {self.loss:.6g}"


@dataclass(eq=False)
class BadCheckpoint(ValueError):
    """A file that is not a whole checkpoint of this version."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file} {self.what}"


@dataclass(eq=False)
class DataError(ValueError):
    """Data that cannot be read, or do not fit a model.

    `file` is the file as it was given, or what stands in its place for a frame; None where no file is to blame. `line`
    counts the lines of a text from 1, `at` is the position in any other column, each number from 0. `option` names the
    argument of `read_data` that is another way out, and `need` what it is needed for.
    """

    file: str | None
    what: str
    remedy: str
    line: int | None = None
    column: str | None = None
    at: tuple[int, ...] | None = None
    option: str | None = None
    need: str | None = None

    @property
    def place(self) -> str:
        """Where it is, as `d.csv, line 3, column 'a'`; nothing where no file is to blame."""
        if self.file is None:
            return ""
        place = self.file
        if self.line is not None:
            place += f", line {self.line}"
        if self.at:
            where = f"row {self.at[0]}" if len(self.at) == 1 else f"position {list(self.at)}"
            place += f", {where} (from 0)"
        if self.column is not None:
            place += f", column {self.column!r}"
        return place

    @property
    def message(self) -> str:
        """The place, and what is wrong there."""
        return f"{self.place}: {self.what}" if self.file is not None else self.what

    def __str__(self) -> str:
        told = f"{self.message}; {self.remedy}"
        if self.option is not None:
            told += "; " + WAYS_OUT[self.option].format(self.need)
        return told


WAYS_OUT = {
    "on_nan": "on_nan='drop' leaves such rows out",
    "map": "map={{{!r}: COLUMN}} takes an input from another column",
    "columns": "map={{{!r}: [COLUMN, COLUMN, ...]}} stacks columns along its last axis",
}
"""Arguments of `read_data` that are another way out of a mistake in the data."""


@dataclass(eq=False)
class NotFinite(ValueError):
    """A fit that cannot start: a value is not finite, or a weight is negative. `row` counts from 0, as in an array."""

    what: str
    row: int | None = None

    def __str__(self) -> str:
        place = "" if self.row is None else f", at row {self.row} (from 0)"
        return f"{self.what}{place}"


@dataclass(eq=False)
class NotEstimable(ValueError):
    """A model that cannot be fitted by the method that was asked for."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


@dataclass(eq=False)
class Missing(ImportError):
    """A library that is not installed; `extra` is the extra of gradc that brings it."""

    library: str
    extra: str

    def __str__(self) -> str:
        return f"this needs {self.library}: pip install 'gradc[{self.extra}]'"


@dataclass(eq=False)
class ParametersDiffer(ValueError):
    """Parameters in a file that are not those of the model: some `missing`, some `unknown`, some of other `shapes` (the
    name, the file's, the model's). `known` are all that the model has."""

    file: str
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    shapes: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    known: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{name} has shape {found}, and {wanted} in the model" for name, found, wanted in self.shapes]
        if self.missing:
            parts.append(f"there is no {_listed(self.missing)}")
        if self.unknown:
            parts.append(f"the model has no {_listed(self.unknown)}; it has {_listed(self.known)}")
        return f"{self.file}: {'; '.join(parts)}"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
