"""From columns to inputs: shapes that fit the model, rows left out, words as indices, and a look at every value.

Takes the columns that each input is made of; gives arrays as an emitted module takes them. Whatever does not fit is a
DataError with its place. Large arrays are looked at in blocks, so that one that is mapped into memory stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import DataError
from .columns import Array, Cells
from .sources import Part, nearest
from .text import LARGEST_WHOLE

BLOCK = 2**20
"""Numbers that are looked at together."""

EMPTY = {"''": "this field is empty", "null": "there is no value here (null)"}
"""What stands where nothing does."""

LISTED = 10
"""Words that a message lists."""

NAMED = 3
"""Rows left out whose places are told."""


@dataclass(eq=False)
class _Input:
    """An input on its way: its entry in the module's table, what it is made of, and what that holds."""

    name: str
    entry: Mapping[str, Any]
    part: Part
    cells: Cells

    @property
    def words(self) -> bool:
        return self.cells.array.dtype == object


@dataclass(eq=False)
class Assembly:
    """Inputs put together for a module. Lengths and vocabularies may be known before, and hold then.

    `lengths` has those of the axes, and `tellers` what told each; `vocabularies` the words of each axis along which
    inputs are indices; `inputs` the arrays. `rows` is the number of rows that there were, `kept` has those that were
    not left out, None where all were kept, and `first` the mistakes in the first of those that were.
    """

    module: ModuleType
    drop: bool
    vocabularies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    tellers: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Array] = field(default_factory=dict)
    kept: Array | None = None
    first: tuple[DataError, ...] = ()
    rows: int | None = None

    def take(self, parts: Mapping[str, Part]) -> None:
        """Take in the inputs that are needed. DataError where something does not fit."""
        found = [self._read(name, part) for name, part in parts.items()]
        for one in found:
            self._fit(one)
        self.rows = self.lengths.get(self.module.ROWS) if self.module.ROWS is not None else None
        self._leave_out(found)
        found = [self._cut(one) for one in found]
        self._learn(found)
        for one in found:
            self.inputs[one.name] = self._checked(one)

    def add(self, name: str, part: Part) -> None:
        """Take in one that may be there, beside those that are needed; one that does not fit them is passed over."""
        lengths, vocabularies = dict(self.lengths), dict(self.vocabularies)
        try:
            one = self._read(name, part)
            self._fit(one)
            one = self._cut(one)
            self._refuse_holes(one)
            self._learn([one])
            self.inputs[name] = self._checked(one)
        except DataError:
            self.lengths, self.vocabularies = lengths, vocabularies

    # --- reading and shapes

    def _read(self, name: str, part: Part) -> _Input:
        entry = self.module.INPUTS[name]
        pieces: list[Cells] = []
        for column in part.columns:
            words = column.words(_base(entry["index"]) in self.vocabularies) if entry["index"] is not None else None
            pieces.append(column.numbers(_wanted(entry)) if words is None else words)
        if not part.stacked:
            return _Input(name, entry, part, pieces[0])
        for column, piece in zip(part.columns, pieces, strict=True):
            if piece.array.shape != pieces[0].array.shape:
                what = f"this has shape {piece.array.shape}, and {part.columns[0].name!r} {pieces[0].array.shape}"
                raise column.wrong(None, what, f"columns of one shape make the input {name}")
            if (piece.array.dtype == object) != (pieces[0].array.dtype == object):
                what = f"of this and {part.columns[0].name!r} one holds words, and the other numbers"
                raise column.wrong(None, what, f"columns of one type make the input {name}")
        masks = [np.zeros(p.array.shape, bool) if p.missing is None else p.missing for p in pieces]
        missing = np.stack(masks, -1) if any(piece.missing is not None for piece in pieces) else None
        orders = {piece.order for piece in pieces}
        order = orders.pop() if len(orders) == 1 else None
        return _Input(name, entry, part, Cells(np.stack([piece.array for piece in pieces], -1), missing, order))

    def _fit(self, one: _Input) -> None:
        """Check the shape against what the model says and what other inputs told."""
        axes, shape, found = one.entry["axes"], one.entry["shape"], one.cells.array.shape
        title = f"{one.name}[{', '.join(axes)}]" if axes else one.name
        if len(found) != len(axes):
            told = "one axis" if len(found) == 1 else f"{len(found)} axes"
            what = f"this has {told}, and the input {title} has {len(axes)}"
            remedy = (
                f"give an array of shape [{', '.join(map(str, shape))}]" if shape else "give one number, in an .npz"
            )
            error = one.part.wrong(None, what, "map the input to one column" if one.part.stacked else remedy)
            if len(found) + 1 == len(axes):
                error.option, error.need = "columns", one.name
            raise error
        for axis, wanted, length in zip(axes, shape, found, strict=True):
            known = wanted if isinstance(wanted, int) else self.lengths.get(wanted)
            if length == 0:
                raise one.part.wrong(None, f"this is empty along {axis}", "give at least one value")
            if known is None:
                self.lengths[wanted] = length
                self.tellers[wanted] = f"{one.name} of {one.part.columns[0].file}"
            elif known != length:
                told = "the model says" if isinstance(wanted, int) else f"{self.tellers[wanted]} has"
                what = f"the input {title} gets length {length} along {axis}, and {told} {known}"
                remedy = f"all that lies along {axis} has one length"
                raise one.part.wrong(None, what, f"give {known} along {axis}" if isinstance(wanted, int) else remedy)

    # --- rows that are left out

    def _leave_out(self, found: Sequence[_Input]) -> None:
        """Refuse what is missing or not finite, or find the rows that go for it."""
        wrong: Array | None = None
        for one in found:
            if not self.drop or self.module.ROWS not in one.entry["axes"]:
                self._refuse_holes(one)
                continue
            rows = self._holes(one)
            wrong = rows if wrong is None else wrong | rows
        if wrong is None or not wrong.any():
            return
        if wrong.all():
            error = self._hole(found, 0)
            error.remedy, error.option = "each row has something missing or not finite: none is left", None
            raise error
        self.kept = np.flatnonzero(~wrong)
        self.lengths[self.module.ROWS] = len(self.kept)
        self.first = tuple(self._hole(found, int(row)) for row in np.flatnonzero(wrong)[:NAMED])

    def _refuse_holes(self, one: _Input) -> None:
        place = _first(one.cells, _hole)
        if place is not None:
            raise self._told(one, place)

    def _told(self, one: _Input, place: tuple[int, ...]) -> DataError:
        column, at = one.part.at(place)
        shown = column.shown(at)
        if shown in EMPTY:
            what = EMPTY[shown]
        elif one.cells.missing is not None and one.cells.missing[place] and "nan" not in shown.lower():
            what = f"there is no value here ({shown})"
        elif any(digit in shown for digit in "123456789"):
            what = f"{shown} is beyond the largest double"
        else:
            what = f"{shown} is not finite"
        droppable = self.module.ROWS in one.entry["axes"]
        return column.wrong(at, what, "leave the row out, or fill it", "on_nan" if droppable else None)

    def _holes(self, one: _Input) -> Array:
        """For each row whether it has something missing or not finite."""
        axis = one.entry["axes"].index(self.module.ROWS)
        array = one.cells.array
        found = np.zeros(array.shape[axis], bool)
        for block in _blocks(array):
            wrong = _hole(*_of(one.cells, block))
            over = tuple(i for i in range(wrong.ndim) if i != axis)
            if axis == 0:
                found[block] = wrong.any(over)
            else:
                found |= wrong.any(over)
        return found

    def _hole(self, found: Sequence[_Input], row: int) -> DataError:
        """What is wrong in a row that is left out."""
        for one in found:
            if self.module.ROWS in one.entry["axes"]:
                axis = one.entry["axes"].index(self.module.ROWS)
                cut = (slice(None),) * axis + (slice(row, row + 1),)
                place = _first(_of_cells(one.cells, cut), _hole)
                if place is not None:
                    return self._told(one, (*place[:axis], row, *place[axis + 1 :]))
        raise AssertionError(row)

    def _cut(self, one: _Input) -> _Input:
        if self.kept is None or self.module.ROWS not in one.entry["axes"]:
            return one
        axis = one.entry["axes"].index(self.module.ROWS)
        missing = None if one.cells.missing is None else np.take(one.cells.missing, self.kept, axis)
        return replace(one, cells=replace(one.cells, array=np.take(one.cells.array, self.kept, axis), missing=missing))

    def _wrong(self, one: _Input, place: tuple[int, ...], what: str, remedy: str) -> DataError:
        """A mistake at a place of what was kept; what stands there, `what` says."""
        column, at = one.part.at(along_rows(self.module, one.name, place, self.kept))
        return column.wrong(at, f"{column.shown(at)} {what}", remedy)

    # --- words

    def _learn(self, found: Sequence[_Input]) -> None:
        """The vocabulary of each axis along which inputs are made of words, where none is known."""
        axes = dict.fromkeys(_base(one.entry["index"]) for one in found if one.entry["index"] is not None)
        for axis in axes:
            along = [one for one in found if one.entry["index"] is not None and _base(one.entry["index"]) == axis]
            worded = [one for one in along if one.words]
            if not worded or axis in self.vocabularies:
                continue
            if len(worded) < len(along):
                number = next(one for one in along if not one.words)
                what = f"this holds numbers, and {worded[0].part.columns[0].name!r} words, along the same axis {axis}"
                raise number.part.wrong(None, what, "give words in both, or numbers in both")
            words = self._words(axis, worded)
            length = self.module.AXES.get(axis) or self.lengths.get(axis)
            if length is not None and len(words) > length:
                what = f"this holds {len(words)} words, and the axis {axis} has {length} places"
                raise worded[0].part.wrong(None, what, f"the words are {_listed(words)}")
            self.vocabularies[axis] = words

    def _words(self, axis: str, worded: Sequence[_Input]) -> tuple[str, ...]:
        """The words in the order of their indices: the source's own where it has one, else sorted."""
        orders = {one.cells.order for one in worded if one.cells.order is not None}
        if len(orders) > 1:
            what = f"this keeps another order of words than another input along the axis {axis}"
            raise worded[-1].part.wrong(None, what, "give both the same categories")
        used = {word for one in worded for word in one.cells.array.reshape(-1).tolist()}
        order = orders.pop() if orders else tuple(sorted(used))
        return order if used <= set(order) else tuple(sorted(used))

    # --- values

    def _checked(self, one: _Input) -> Array:
        """The array as the module takes it. DataError where a value does not fit."""
        checked = {"position": self._index, "truth": self._truth, "number": self._number}
        return checked[_wanted(one.entry)](one)

    def _index(self, one: _Input) -> Array:
        axis = _base(one.entry["index"])
        if one.words:
            vocabulary = self.vocabularies[axis]
            numbers = {word: i for i, word in enumerate(vocabulary)}
            flat = one.cells.array.reshape(-1).tolist()
            found = np.array([numbers.get(word, -1) for word in flat], np.int64).reshape(one.cells.array.shape)
            place = _first(Cells(found), lambda block, _: block < 0)
            if place is not None:
                word = one.cells.array[place]
                near = nearest(word, vocabulary)
                remedy = f"did you mean {near!r}? " if near else ""
                remedy += f"the training had {_listed(vocabulary)}"
                raise self._wrong(one, place, "is no word that the model knows", remedy)
            return found
        self._refuse_truths(one, f"a position along the axis {axis}", "write whole numbers from 0, or words")
        place = _first(one.cells, lambda block, _: block != np.floor(block))
        if place is not None:
            remedy = f"a position along the axis {axis} is a whole number from 0"
            raise self._wrong(one, place, "is not a whole number", remedy)
        length = self.module.AXES.get(axis) or self.lengths.get(axis)
        place = _first(one.cells, lambda block, _: (block < 0) | (block >= (length or np.inf)))
        if place is not None:
            what = f"is no position along the axis {axis}"
            upto = f" to {length - 1}" if length is not None else ""
            raise self._wrong(one, place, what, f"positions count from 0{upto}")
        return np.asarray(one.cells.array, np.int64, order="C")

    def _truth(self, one: _Input) -> Array:
        place = None if one.cells.array.dtype == bool else _first(one.cells, lambda block, _: ~np.isin(block, (0, 1)))
        if place is not None:
            what = "is no truth value"
            raise self._wrong(one, place, what, "write true and false, or 1 and 0")
        return np.asarray(one.cells.array, bool, order="C")

    def _number(self, one: _Input) -> Array:
        array = one.cells.array
        declared = f"write 1 and 0, or declare it in the model as {one.name}[{', '.join(one.entry['axes'])}]: bool"
        self._refuse_truths(one, f"a number for the input {one.name}", declared)
        if array.dtype.kind in "iu":
            place = _first(one.cells, lambda block, _: (block > LARGEST_WHOLE) | (block < -LARGEST_WHOLE))
            if place is not None:
                what = "is a whole number above 2^53"
                raise self._wrong(one, place, what, "no double holds it exactly")
        elif np.finfo(array.dtype).max > np.finfo(self.module.DTYPE).max:
            with np.errstate(over="ignore"):
                place = _first(one.cells, lambda block, _: np.isinf(block.astype(self.module.DTYPE)))
            if place is not None:
                what = f"is too large for {self.module.DTYPE}"
                raise self._wrong(one, place, what, "scale the column, or compile the model for float64")
        # A column in another order, or of another machine, would be converted anew at each look at some of its rows.
        return np.asarray(array, order="C")

    def _refuse_truths(self, one: _Input, wanted: str, remedy: str) -> None:
        if one.cells.array.dtype == bool:
            place = (0,) * one.cells.array.ndim
            raise self._wrong(one, place, f"is a truth value, not {wanted}", remedy)


def along_rows(module: ModuleType, name: str, place: tuple[int, ...], rows: Array | None) -> tuple[int, ...]:
    """Where a place of an input was before only these rows of it were taken; None took them all."""
    axes = module.INPUTS[name]["axes"]
    if rows is None or module.ROWS not in axes:
        return place
    axis = axes.index(module.ROWS)
    return (*place[:axis], int(rows[place[axis]]), *place[axis + 1 :])


def _listed(words: Sequence[str]) -> str:
    """Words as a message has them, the first of many."""
    told = ", ".join(repr(word[:40]) for word in words[:LISTED])
    return told + (f" and {len(words) - LISTED} more" if len(words) > LISTED else "")


def _wanted(entry: Mapping[str, Any]) -> str:
    """What the numbers of an input are for."""
    return "position" if entry["index"] is not None else "truth" if entry["dtype"] == "bool" else "number"


def _base(axis: str) -> str:
    """An axis without its primes: a copy of it has the same words."""
    return axis.rstrip("'")


# --------------------------------------------------------------------------------------------------------------- blocks

Test = Callable[[Array, Array | None], Array]


def _hole(block: Array, missing: Array | None) -> Array:
    """Where something is missing or not finite."""
    wrong = np.zeros(block.shape, bool) if block.dtype.kind != "f" else ~np.isfinite(block)
    return wrong if missing is None else wrong | missing


def _blocks(array: Array) -> list[slice]:
    """Parts of the first axis that are looked at one after the other."""
    if array.ndim == 0:
        return []
    step = max(BLOCK * len(array) // max(array.size, 1), 1)
    return [slice(start, start + step) for start in range(0, len(array), step)]


def _of(cells: Cells, block: Any) -> tuple[Array, Array | None]:
    return cells.array[block], None if cells.missing is None else cells.missing[block]


def _of_cells(cells: Cells, block: Any) -> Cells:
    array, missing = _of(cells, block)
    return Cells(array, missing)


def _first(cells: Cells, test: Test) -> tuple[int, ...] | None:
    """The first place at which a test is true."""
    if cells.array.ndim == 0:
        whole = Cells(cells.array[None], None if cells.missing is None else cells.missing[None])
        found = _first(whole, test)
        return None if found is None else ()
    for block in _blocks(cells.array):
        wrong = test(*_of(cells, block))
        if wrong.any():
            place = np.argwhere(wrong)[0]
            return (int(place[0]) + block.start, *(int(i) for i in place[1:]))
    return None
