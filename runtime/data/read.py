"""`read_data`: from files and frames to what a model is computed with.

Takes a module, sources and how its inputs are found in them; gives `Data`. This is the one way in: the command line,
sessions and estimators read through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import DataError
from .columns import Array
from .inputs import Assembly, along_rows
from .sources import Catalogue, Part, Source, nearest, open_sources
from .split import held_out

Mapped = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str | Sequence[str]]]


@dataclass(frozen=True)
class Data:
    """What a model is computed with: an array for each input, by name.

    `held_out` has the rows that are kept from a training, for validation, None where there are none; inputs without
    rows are in both. `vocabularies` has, for each axis along which inputs were given as words, the words in the order
    of their indices. `record` says where all of it came from, as plain data for run.json. `notes` are sentences for
    the user, such as how many rows were left out.
    """

    inputs: dict[str, Array]
    held_out: dict[str, Array] | None
    vocabularies: Mapping[str, Sequence[str]]
    record: Mapping[str, Any]
    notes: Sequence[str] = ()
    trace: Trace | None = field(default=None, repr=False, compare=False)

    def place(self, name: str, index: tuple[int, ...]) -> str:
        """Where a number of an input stands in its source, as `d.csv, line 3, column 'a'`."""
        return "the data" if self.trace is None else self.trace.wrong(name, index).place

    def row(self, number: int) -> str:
        """Where a row of the inputs stands in its source, as `d.csv, line 3`."""
        if self.trace is None:
            return "the data"
        entries, rows = self.trace.module.INPUTS, self.trace.module.ROWS
        name = next(name for name in self.inputs if rows in entries[name]["axes"])
        index = tuple(number if axis == rows else 0 for axis in entries[name]["axes"])
        return replace(self.trace.wrong(name, index), column=None).place


@dataclass(frozen=True)
class Trace:
    """The way back from the inputs to their sources: what each is made of, and the rows that were taken."""

    module: ModuleType
    parts: Mapping[str, Part]
    kept: Array | None  # of the rows that there were, those that were not left out
    trained: Array | None  # of these, those that were not held out

    def wrong(self, name: str, index: tuple[int, ...]) -> DataError:
        """A mistake at a number of an input, which knows where that stands in its source."""
        for rows in (self.trained, self.kept):
            index = along_rows(self.module, name, index, rows)
        return self.parts[name].wrong(index, "", "")


def read_data(
    model: Any,
    data: Source | Sequence[Source],
    *,
    map: Mapped | None = None,
    needed: Iterable[str] | None = None,
    on_nan: str = "error",
    vocabularies: Mapping[str, Sequence[str]] | None = None,
    validation: float | Source | Sequence[Source] | None = None,
    seed: int = 0,
) -> Data:
    """The inputs of a model from files and frames.

    `model` is a compiled model or its module. `data` is a path, a frame of pandas or polars, a table of pyarrow, a
    mapping of names to arrays, or a list of such. An input is the column of its name, or what `map` gives it: another
    column (`{"t_u": "celsius"}`), several that are stacked along its last axis (`{"x": ["a", "b"]}`, or `"a,b"`), or
    all that begin alike (`{"x": "sensor_*"}`, sensor_2 before sensor_10). `needed` are the inputs that must be there,
    those of the objectives where it is left out; others are taken where the data have them and they fit.

    With `on_nan="drop"` rows in which something is missing or not finite are left out of all inputs, and told in
    `notes`; with "error" they are refused. `vocabularies` are those of a training before, in which all words must be.
    `validation` is the fraction of the rows that is held out, chosen by `seed`, or sources of other rows.

    Raises DataError with file, line or row, and column; OSError where a file cannot be opened; TypeError for an object
    that has no columns.
    """
    module: ModuleType = getattr(model, "module", model)
    if on_nan not in ("error", "drop"):
        raise ValueError(f"on_nan is 'error' or 'drop', and not {on_nan!r}")
    wanted = _needed(module) if needed is None else list(needed)
    pairs = _pairs(module, map)
    parts, others = _parts(module, open_sources(data), pairs, wanted)
    assembly = Assembly(module, on_nan == "drop", {axis: tuple(words) for axis, words in (vocabularies or {}).items()})
    assembly.take(parts)
    for name, part in others.items():
        assembly.add(name, part)
    resolved = {name: parts[name].names for name in pairs}
    record: dict[str, Any] = {"map": resolved, "on_nan": on_nan, "dropped": _dropped(assembly)}
    notes = _notes(assembly, "")
    inputs, rest, rows = assembly.inputs, None, None
    if isinstance(validation, float | int) and not isinstance(validation, bool):
        inputs, rest, rows, told = _cut(module, assembly, float(validation), seed)
    elif validation is not None:
        rest, told, more = _others(assembly, open_sources(validation), resolved, parts)
        notes += more
    else:
        told = None
    record["validation"] = told
    record["vocabularies"] = {axis: list(words) for axis, words in assembly.vocabularies.items()}
    bare = {name: (parts | others)[name].bare() for name in inputs}
    trace = Trace(module, bare, assembly.kept, rows)
    return Data(inputs, rest, assembly.vocabularies, record, notes, trace)


def _needed(module: ModuleType) -> list[str]:
    """The inputs of the objectives, or of the outputs where there is none."""
    entries = (module.OBJECTIVES or module.OUTPUTS).values()
    return [name for name in module.INPUTS if any(name in entry["needs"] for entry in entries)]


def _pairs(module: ModuleType, map: Mapped | None) -> dict[str, str | Sequence[str]]:
    pairs: dict[str, str | Sequence[str]] = {}
    for name, columns in map.items() if isinstance(map, Mapping) else map or ():
        if name not in module.INPUTS:
            near = nearest(name, module.INPUTS)
            remedy = f"did you mean {near}?" if near else f"the inputs are {', '.join(module.INPUTS)}"
            raise DataError(None, f"the model has no input {name!r} to map a column to", remedy)
        if name in pairs:
            raise DataError(None, f"the input {name} is mapped twice", "map it once")
        pairs[name] = columns
    return pairs


def _parts(
    module: ModuleType, catalogue: Catalogue, pairs: Mapping[str, str | Sequence[str]], needed: Sequence[str]
) -> tuple[dict[str, Part], dict[str, Part]]:
    """The columns of the inputs that must be there, and of others that are."""
    parts: dict[str, Part] = {}
    others: dict[str, Part] = {}
    for name in module.INPUTS:
        if name in pairs:
            parts[name] = catalogue.by_map(name, pairs[name])
        elif name in needed:
            parts[name] = catalogue.by_name(name)
        elif catalogue.has(name):
            with suppress(DataError):
                others[name] = catalogue.by_name(name)
    return parts, others


def _dropped(assembly: Assembly) -> dict[str, Any] | None:
    if assembly.kept is None or assembly.rows is None:
        return None
    return {
        "rows": assembly.rows - len(assembly.kept),
        "of": assembly.rows,
        "first": [_place(error) for error in assembly.first],
    }


def _place(error: DataError) -> dict[str, Any]:
    """Where a mistake is, as plain data; of a file's path the name only, so that a record names no machine."""
    file = None if error.file is None else PurePath(error.file).name
    at = None if error.at is None else list(error.at)
    return {"file": file, "line": error.line, "row": at, "column": error.column}


def _notes(assembly: Assembly, what: str) -> tuple[str, ...]:
    dropped = _dropped(assembly)
    if dropped is None:
        return ()
    more = dropped["rows"] - len(assembly.first)
    told = "; ".join(error.message for error in assembly.first) + (f"; and {more} more" if more else "")
    return (f"left out {dropped['rows']} of {dropped['of']} {what}rows: {told}",)


def _cut(
    module: ModuleType, assembly: Assembly, fraction: float, seed: int
) -> tuple[dict[str, Array], dict[str, Array], Array, dict[str, Any]]:
    """The inputs with the rows to train on, with those held out, and which rows the first are."""
    rows = None if module.ROWS is None else assembly.lengths.get(module.ROWS)
    if rows is None:
        raise DataError(None, "the model has no axis of rows, and none can be held out", "give no validation")
    places = held_out(rows, fraction, seed)
    cut = []
    for chosen in places:
        found = dict(assembly.inputs)
        for name, array in found.items():
            if module.ROWS in module.INPUTS[name]["axes"]:
                found[name] = np.take(array, chosen, module.INPUTS[name]["axes"].index(module.ROWS))
        cut.append(found)
    return cut[0], cut[1], places[0], {"fraction": fraction, "seed": seed, "rows": len(places[1])}


def _others(
    assembly: Assembly, catalogue: Catalogue, mapped: Mapping[str, str | Sequence[str]], needed: Iterable[str]
) -> tuple[dict[str, Array], dict[str, Any], tuple[str, ...]]:
    """The rows of other sources, beside the inputs without rows that the training has."""
    module = assembly.module
    along = [name for name in needed if module.ROWS in module.INPUTS[name]["axes"]]
    if not along:
        raise DataError(None, "the model has no axis of rows, and none can be held out", "give no validation")
    pairs = {name: columns for name, columns in mapped.items() if name in along}
    parts, _ = _parts(module, catalogue, pairs, along)
    lengths = {axis: length for axis, length in assembly.lengths.items() if axis != module.ROWS}
    rest = Assembly(module, assembly.drop, dict(assembly.vocabularies), lengths)
    rest.take(parts)
    shared = {name: a for name, a in assembly.inputs.items() if module.ROWS not in module.INPUTS[name]["axes"]}
    told = {"rows": rest.lengths[module.ROWS], "dropped": _dropped(rest)}
    return {**shared, **rest.inputs}, told, _notes(rest, "validation ")
