"""Data that Python holds already: frames of pandas and polars, tables of pyarrow, mappings of names to arrays.

Takes such an object; gives columns. A library is known by the name of its module, and never imported here before an
object of its own is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..errors import DataError
from .arrow import read_table
from .columns import ArrayColumn, Cells, Column, from_array, single


def read_frame(frame: Any) -> list[Column]:
    """The columns of an object. TypeError where it is nothing that has columns by name."""
    libraries = {kind.__module__.partition(".")[0] for kind in type(frame).__mro__}
    if "pandas" in libraries and hasattr(frame, "columns"):
        return _pandas(frame)
    if "polars" in libraries and (hasattr(frame, "get_column") or hasattr(frame, "collect")):
        return _polars(frame)
    if isinstance(frame, Mapping):
        return [ArrayColumn("the data", str(name), partial(_given, str(name), value)) for name, value in frame.items()]
    if isinstance(frame, np.ndarray) and frame.dtype.names:
        return [ArrayColumn("the data", name, partial(_given, name, frame[name])) for name in frame.dtype.names]
    if "pyarrow" in libraries and hasattr(frame, "schema") and hasattr(frame, "column"):
        return read_table(frame, "the table")
    if hasattr(frame, "__arrow_c_stream__") and not hasattr(frame, "to_frame"):
        import pyarrow

        return read_table(pyarrow.table(frame), "the table")
    raise TypeError(
        f"data come from a path, a frame of pandas or polars, a table of pyarrow, or a mapping of names to arrays; "
        f"this is of type {type(frame).__name__}"
    )


def _given(name: str, value: Any) -> Cells:
    """One value of a mapping."""
    library = type(value).__module__.partition(".")[0]
    if library in SERIES and hasattr(value, "to_list") and hasattr(value, "to_frame"):
        return SERIES[library]("the data", name, value)
    try:
        array = np.asarray(value)
        if array.dtype.kind == "U" and isinstance(value, list | tuple):
            # NumPy makes words of numbers that stand beside words.
            array = np.array(value, object)
    except ValueError as error:
        what = "this is ragged: its rows have different lengths"
        raise DataError("the data", what, "give rows of one length", column=name) from error
    found = from_array("the data", name, array)
    masked = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else None
    return found if masked is None else replace(found, missing=masked)


def _pandas(frame: Any) -> list[Column]:
    names = single("the frame", [str(name) for name in frame.columns])
    return [
        ArrayColumn("the frame", name, partial(_of_pandas, "the frame", name, frame.iloc[:, i]))
        for i, name in enumerate(names)
    ]


def _of_pandas(file: str, name: str, series: Any) -> Cells:
    """One series of pandas."""
    missing = np.asarray(series.isna(), bool)
    mask = missing if missing.any() else None
    kind = series.dtype.kind
    if hasattr(series, "cat"):
        words = series.cat.categories
        order = tuple(words) if all(isinstance(word, str) for word in words) else None
        return replace(from_array(file, name, series.astype(object).to_numpy()), order=order)
    if isinstance(series.dtype, np.dtype) or kind not in "iufb":
        return from_array(file, name, series.to_numpy())
    if kind == "f":
        return Cells(series.to_numpy("f8", na_value=np.nan), mask)
    # Whole numbers and truth values that may be missing: NumPy has no array for them.
    empty, wanted = (False, "bool") if kind == "b" else (0, f"{kind}8")
    return Cells((series if mask is None else series.fillna(empty)).to_numpy(wanted), mask)


def _polars(frame: Any) -> list[Column]:
    whole = frame if hasattr(frame, "get_column") else frame.collect()
    return [
        ArrayColumn("the frame", name, partial(_of_polars, "the frame", name, whole.get_column(name)))
        for name in whole.columns
    ]


def _of_polars(file: str, name: str, series: Any) -> Cells:
    """One series of polars."""
    kind = type(series.dtype).__name__
    mask = series.is_null().to_numpy() if series.null_count() else None
    if kind in ("Enum", "Categorical", "String"):
        order = tuple(series.dtype.categories.to_list()) if kind == "Enum" else None
        return Cells(np.array([word or "" for word in series.to_list()], object), mask, order)
    if kind in ("List", "Object", "Null"):
        objects = np.empty(len(series), object)
        objects[:] = series.to_list()
        return from_array(file, name, objects)
    if kind == "Struct":
        raise DataError(file, "this holds structs", "store each of their fields as a column of its own", column=name)
    if kind == "Decimal":
        series = series.cast(float)
    elif mask is not None and (kind == "Boolean" or series.dtype.is_integer()):
        series = series.fill_null(False if kind == "Boolean" else 0)
    return replace(from_array(file, name, series.to_numpy()), missing=mask)


SERIES: Mapping[str, Callable[[str, str, Any], Cells]] = {"pandas": _of_pandas, "polars": _of_polars}
"""How one series of a library is read."""
