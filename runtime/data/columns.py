"""Columns, whatever they come from: numbers or words, with the place of each for messages.

Takes what a reader found; gives `Column`, which converts nothing before somebody asks for its numbers or its words. So
a column that no input is made of may hold anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Cells:
    """What a column holds: numbers (of kind b, i, u or f), or words (an array of objects, each a str).

    `missing` has the same shape and says where there is no value, None where there is one everywhere. `order` has the
    words in an order of their own, where the source keeps one; None else.
    """

    array: Array
    missing: Array | None = None
    order: tuple[str, ...] | None = None


WANTED = {
    "number": ("is not a number", "write numbers alone in the column"),
    "truth": ("is no truth value", "write true and false, or 1 and 0"),
    "position": ("is a word, and other fields are numbers", "write words alone in the column, or positions from 0"),
}
"""What an input is made of: what is said of a word in its column, and what to do."""


class Column(ABC):
    """One column of a source, by its name; `file` is the source as the user named it."""

    file: str
    name: str

    @abstractmethod
    def numbers(self, wanted: str = "number") -> Cells:
        """The column as numbers or truth values; what is missing is NaN or masked. DataError where it holds others.

        `wanted` is what they are for, one of `WANTED`.
        """

    @abstractmethod
    def words(self, certainly: bool) -> Cells | None:
        """The column as words; None where it holds numbers. `certainly` where words are known to be wanted."""

    @abstractmethod
    def bare(self) -> Column:
        """The column without what it holds, which still knows its places."""

    @abstractmethod
    def shown(self, at: tuple[int, ...]) -> str:
        """What stands at a place, as the source has it."""

    @abstractmethod
    def wrong(self, at: tuple[int, ...] | None, what: str, remedy: str, option: str | None = None) -> DataError:
        """A mistake in this column, at a place of it or in all of it."""


@dataclass(eq=False)
class ArrayColumn(Column):
    """A column of a source that holds arrays. `load` reads it, when it is first needed."""

    file: str
    name: str
    load: Callable[[], Cells]

    @cached_property
    def cells(self) -> Cells:
        """What the column holds."""
        return self.load()

    def numbers(self, wanted: str = "number") -> Cells:
        if self.cells.array.dtype == object:
            known = np.flatnonzero(_known(self.cells))
            if len(known):
                at = tuple(int(i) for i in np.unravel_index(known[0], self.cells.array.shape))
                raise self.wrong(at, f"{self.shown(at)} {WANTED[wanted][0]}", WANTED[wanted][1])
            return Cells(np.full(self.cells.array.shape, np.nan), self.cells.missing)
        return self.cells

    def words(self, certainly: bool) -> Cells | None:
        return self.cells if self.cells.array.dtype == object else None

    def bare(self) -> Column:
        return ArrayColumn(self.file, self.name, lambda: Cells(np.empty(0)))

    def shown(self, at: tuple[int, ...]) -> str:
        if self.cells.missing is not None and self.cells.missing[at]:
            return "null"
        value = self.cells.array[at]
        return repr(value[:40]) if isinstance(value, str) else str(value)

    def wrong(self, at: tuple[int, ...] | None, what: str, remedy: str, option: str | None = None) -> DataError:
        return DataError(self.file, what, remedy, column=self.name, at=at, option=option)


def _known(cells: Cells) -> Array:
    return np.ones(cells.array.shape, bool) if cells.missing is None else ~cells.missing


def single(file: str, names: list[str]) -> list[str]:
    """The names of a source's columns. DataError where two are equal."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(file, f"two columns are called {name!r}", "rename one of them")
    return names


def from_array(file: str, name: str, array: Array) -> Cells:
    """The cells of a NumPy array as a source has it. DataError where it holds neither numbers nor words."""
    kind = array.dtype.kind
    if kind in "biuf":
        return Cells(array.astype(array.dtype.newbyteorder("="), copy=False))
    if kind == "U":
        return Cells(array.astype(object))
    if kind == "S":
        try:
            return Cells(np.char.decode(array, "utf-8").astype(object))
        except UnicodeDecodeError as error:
            raise DataError(
                file, "this holds bytes that are no UTF-8 text", "store words as text", column=name
            ) from error
    if kind == "O":
        return _of_objects(file, name, array)
    what, remedy = OTHERS.get(kind, (str(array.dtype), "store numbers"))
    raise DataError(file, f"this holds {what}", remedy, column=name)


OTHERS = {
    "M": ("dates or times", "store numbers, for example days since a first day"),
    "m": ("spans of time", "store numbers, for example seconds"),
    "c": ("complex numbers", "store real and imaginary parts as two columns"),
    "V": ("records", "store each field as a column of its own"),
}
"""Kinds of arrays that are no columns of a model, and what to do about each."""


def _of_objects(file: str, name: str, array: Array) -> Cells:
    """Objects of Python: words, truth values, numbers that came without a type, lists of such; None is missing."""
    flat = array.reshape(-1)
    missing = np.array([_gone(value) for value in flat], bool)
    known = np.flatnonzero(~missing)
    first = flat[known[0]] if len(known) else None
    if isinstance(first, list | tuple | np.ndarray):
        return _of_lists(file, name, flat, missing)
    fits, empty = next((kind for kind in KINDS if kind[0](first)), (lambda value: False, 0.0))
    filled = np.empty(len(flat), object)
    filled[:] = empty
    for i in known:
        value = flat[i]
        if not fits(value):
            told = _told(value) + (f", and before it {_told(first)}" if value is not first else "")
            at = tuple(int(k) for k in np.unravel_index(i, array.shape))
            raise DataError(file, told, "store values of one type, numbers or words", column=name, at=at)
        if isinstance(value, int) and abs(value) >= 2**63:
            at = tuple(int(k) for k in np.unravel_index(i, array.shape))
            what = f"{value} is a whole number above 2^53"
            raise DataError(file, what, "no double holds it exactly", column=name, at=at)
        filled[i] = value.decode() if isinstance(value, bytes) else value
    mask = missing.reshape(array.shape) if missing.any() else None
    if isinstance(empty, str):
        return Cells(filled.reshape(array.shape), mask)
    return Cells(np.array(filled.tolist(), None if len(known) else float).reshape(array.shape), mask)


def _gone(value: object) -> bool:
    """Whether there is no value: None, NaN, or what pandas writes for them."""
    named = type(value).__name__ in ("NAType", "NaTType")
    return value is None or named or (isinstance(value, float) and value != value)


KINDS: tuple[tuple[Callable[[Any], bool], object], ...] = (
    (lambda value: isinstance(value, str | bytes), ""),
    (lambda value: isinstance(value, bool | np.bool_), False),
    (lambda value: isinstance(value, int | np.integer), 0),
    (lambda value: isinstance(value, Real) and not isinstance(value, bool), 0.0),
    (lambda value: value is None, 0.0),
)
"""What objects of one column may be, and what stands in place of those that are missing."""


def _told(value: object) -> str:
    """A value and its type; of an object that is neither word nor number the type alone."""
    kind = type(value).__name__
    shown = repr(value)[:40] if isinstance(value, str | bytes | Real) else "this"
    return f"{shown} is an {kind}" if kind[0] in "aeiouAEIOU" else f"{shown} is a {kind}"


def _of_lists(file: str, name: str, flat: Array, missing: Array) -> Cells:
    """Lists of one length, as another axis."""
    if missing.any():
        at = (int(np.argmax(missing)),)
        raise DataError(file, "there is no list here", "leave the row out, or fill it", column=name, at=at)
    parts = [np.asarray(value) if not isinstance(value, np.ndarray) else value for value in flat]
    for i, part in enumerate(parts):
        if part.shape != parts[0].shape:
            what = f"the list here has shape {part.shape}, and the first {parts[0].shape}"
            raise DataError(file, what, "lists of one length make an axis", column=name, at=(i,))
    return from_array(file, name, np.stack(parts))
