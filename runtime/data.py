"""Columns from files: CSV, `.npy`, `.npz`.

Takes a path; gives arrays by name. Strict: what is missing, ragged, not a number or not finite is a DataError that
names the file, the line, the column and the remedy. Nothing is ever unpickled.
"""

from __future__ import annotations

import csv
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError

Array = npt.NDArray[Any]

TRUTHS = {"true": True, "false": False}
LARGEST_WHOLE = 2**53
"""Above it a double no longer holds each whole number."""


def read_columns(path: Path) -> dict[str, Array]:
    """The arrays that a file holds, by name. Columns `x[0]`, `x[1]`, ... of a CSV are one array `x` with a second axis.

    A `.npy` file's array has the file's stem for a name. Raises DataError, or OSError where the file cannot be opened.
    """
    kind = path.suffix.lower()
    if kind in (".npz", ".npy"):
        return _arrays(path)
    if kind in (".csv", ".txt", ""):
        return _table(path, ",")
    if kind == ".tsv":
        return _table(path, "\t")
    raise DataError(path.name, f"a {kind} file is not read", "give a .csv, .tsv, .npy or .npz file")


# ------------------------------------------------------------------------------------------------------------- npy, npz


def _arrays(path: Path) -> dict[str, Array]:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {path.stem: _checked(path, path.stem, found)}
        with found:
            return {name: _checked(path, name, found[name]) for name in found.files}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        remedy = "write it again with numpy.savez; objects are never read, since reading them runs code"
        raise DataError(path.name, "this is not a file of plain arrays, or a part of one", remedy) from error


def _checked(path: Path, name: str, array: Array) -> Array:
    if array.dtype.kind not in "biuf":
        raise DataError(path.name, f"the array {name!r} holds {array.dtype}", "store numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        value = array[tuple(place)]
        raise DataError(path.name, f"the array {name!r} holds {value} at {place}", "leave the row out, or fill it")
    return array


# ------------------------------------------------------------------------------------------------------------------ CSV


def _table(path: Path, delimiter: str) -> dict[str, Array]:
    file = path.name
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            header = next(reader, None)
            if header is None:
                raise DataError(file, "the file is empty", "the first line names the columns")
            names = _header(file, header)
            rows: list[tuple[int, list[str]]] = []
            for row in reader:
                if not row:
                    continue
                if len(row) != len(names):
                    remedy = f"each line needs the {len(names)} fields that the header names"
                    if len(row) > len(names) and delimiter == ",":
                        remedy += "; a decimal comma must be a point"
                    raise DataError(file, f"this line has {len(row)} fields", remedy, reader.line_num)
                rows.append((reader.line_num, row))
    except UnicodeDecodeError as error:
        raise DataError(file, "this is not UTF-8 text", "save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(file, f"this is not CSV: {error}", "check its quotes", reader.line_num) from error
    if not rows:
        raise DataError(file, "there are no rows under the header", "give at least one")
    columns = {name: _column(file, name, rows, place) for place, name in enumerate(names)}
    return _joined(file, columns)


def _header(file: str, header: list[str]) -> list[str]:
    names = [name.strip() for name in header]
    for place, name in enumerate(names):
        if not name:
            raise DataError(file, f"column {place + 1} has no name", "name it in the first line", 1)
        if name in names[:place]:
            raise DataError(file, f"two columns are called {name!r}", "rename one of them", 1)
    if all(_is_number(name) for name in names):
        raise DataError(file, "the first line holds numbers", "put a line before it that names the columns", 1)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(file: str, name: str, rows: list[tuple[int, list[str]]], place: int) -> Array:
    texts = [row[place].strip() for _, row in rows]
    if all(text.lower() in TRUTHS for text in texts):
        return np.array([TRUTHS[text.lower()] for text in texts])
    if all(re.fullmatch(r"[+-]?\d{1,18}", text) for text in texts):
        return np.array([int(text) for text in texts], np.int64)
    values = np.empty(len(texts))
    for i, text in enumerate(texts):
        values[i] = _number(file, name, rows[i][0], text)
    return values


def _number(file: str, name: str, line: int, text: str) -> float:
    if not text:
        raise DataError(file, "this field is empty", "leave the row out, or fill it", line, name)
    try:
        # Python reads 1_000 and full-width digits as numbers; a data file that holds them is more likely wrong.
        value = float(text) if text.isascii() and "_" not in text else float("x")
    except ValueError:
        remedy = "write a number"
        if re.fullmatch(r"[+-]?\d+,\d+", text):
            remedy = f"write a decimal point: {text.replace(',', '.')}"
        elif re.fullmatch(r"[+-]?\d{1,3}([ ,.'_]\d{3})+", text):
            remedy = "write it without separators of thousands"
        raise DataError(file, f"{text[:40]!r} is not a number", remedy, line, name) from None
    if not np.isfinite(value):
        raise DataError(file, f"{text[:40]!r} is not finite", "leave the row out, or fill it", line, name)
    if text.lstrip("+-").isdigit() and abs(value) > LARGEST_WHOLE:
        raise DataError(file, f"{text[:40]} is a whole number above 2^53", "no double holds it exactly", line, name)
    return value


def _joined(file: str, columns: dict[str, Array]) -> dict[str, Array]:
    """`x[0]`, `x[1]`, ... as one array, beside the columns themselves."""
    parts: dict[str, dict[int, Array]] = {}
    for name, array in columns.items():
        match = re.fullmatch(r"(.+)\[(\d+)\]", name)
        if match:
            parts.setdefault(match[1], {})[int(match[2])] = array
    found = dict(columns)
    for name, numbered in parts.items():
        missing = next((i for i in range(len(numbered)) if i not in numbered), None)
        if missing is not None:
            raise DataError(file, f"the column {name}[{missing}] is missing", "columns of an array count from 0", 1)
        if name in columns:
            raise DataError(file, f"there are a column {name!r} and columns {name}[0], ...", "rename one", 1)
        found[name] = np.stack([numbered[i] for i in range(len(numbered))], axis=-1)
    return found
