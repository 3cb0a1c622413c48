"""Parquet files, Arrow IPC files, and tables of pyarrow.

Takes a path or a table; gives columns. What lies uncompressed in one piece of an IPC file stays there, mapped into
memory. Lists of one length are further axes; dictionaries keep their own order of words.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .columns import ArrayColumn, Cells, Column, from_array, single

ARROW_TYPES = (
    ("is_date", "dates", "store numbers, for example days since a first day"),
    ("is_timestamp", "timestamps", "store numbers, for example seconds since a first moment"),
    ("is_time", "times", "store numbers, for example seconds"),
    ("is_duration", "spans of time", "store numbers, for example seconds"),
    ("is_struct", "structs", "store each of their fields as a column of its own"),
    ("is_map", "maps", "store each of their entries as a column of its own"),
    ("is_union", "values of several types", "store numbers"),
    ("is_binary", "bytes", "store numbers or words"),
    ("is_large_binary", "bytes", "store numbers or words"),
    ("is_fixed_size_binary", "bytes", "store numbers or words"),
)
"""Types of pyarrow that are no columns of a model: the test, what they are called, and what to do about them."""


WORDS = ("string", "large_string", "string_view")
"""Types of pyarrow that are words."""


def read_parquet(path: Path) -> list[Column]:
    """The columns of a Parquet file, each read when it is used."""
    file = str(path)
    _readable(path)
    pq = _pyarrow(file, "parquet")
    arrow = _pyarrow(file)
    try:
        opened = pq.ParquetFile(path, memory_map=True)
        names = list(opened.schema_arrow.names)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(file, "this is no Parquet file, or a part of one", "write it again") from error
    return [ArrayColumn(file, name, partial(_parquet, opened, file, name)) for name in single(file, names)]


def _parquet(opened: Any, file: str, name: str) -> Cells:
    """One column of a Parquet file."""
    arrow = _pyarrow(file)
    try:
        read = opened.read(columns=[name]).column(name)
    except (arrow.ArrowException, OSError, KeyError) as error:
        what = "this column cannot be read: the file is damaged"
        raise DataError(file, what, "write it again", column=name) from error
    return _cells(read, file, name)


def read_arrow(path: Path) -> list[Column]:
    """The columns of an Arrow IPC file or stream (also called Feather), mapped into memory."""
    file = str(path)
    _readable(path)
    arrow, ipc = _pyarrow(file), _pyarrow(file, "ipc")
    try:
        try:
            table = ipc.open_file(arrow.memory_map(file)).read_all()
        except arrow.ArrowInvalid:
            table = ipc.open_stream(arrow.memory_map(file)).read_all()
    except (arrow.ArrowException, OSError) as error:
        raise DataError(file, "this is no Arrow file, or a part of one", "write it again") from error
    return read_table(table, file)


def read_table(table: Any, file: str) -> list[Column]:
    """The columns of a table or a batch of pyarrow; `file` is what it is called."""
    names = single(file, [str(name) for name in table.schema.names])
    return [ArrayColumn(file, name, partial(_cells, table.column(i), file, name)) for i, name in enumerate(names)]


def _cells(chunks: Any, file: str, name: str) -> Cells:
    """Numbers or words of a column of pyarrow."""
    arrow, types = _pyarrow(file), _pyarrow(file, "types")
    if isinstance(chunks, arrow.Array):
        chunks = arrow.chunked_array([chunks])
    try:
        chunks.validate(full=True)
    except arrow.ArrowException as error:
        what = "this column cannot be read: the file is damaged"
        raise DataError(file, what, "write it again", column=name) from error
    kind = chunks.type
    if isinstance(kind, arrow.BaseExtensionType):
        chunks = arrow.chunked_array([chunk.storage for chunk in chunks.chunks], kind.storage_type)
        kind = kind.storage_type
    if types.is_dictionary(kind):
        return _dictionary(chunks, file, name)
    for test, what, remedy in ARROW_TYPES:
        if getattr(types, test)(kind):
            raise DataError(file, f"this holds {what}", remedy, column=name)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _lists(chunks, file, name)
    missing = chunks.is_null().to_numpy() if chunks.null_count else None
    if types.is_null(kind):
        return Cells(np.full(len(chunks), np.nan), np.ones(len(chunks), bool))
    if str(kind) in WORDS:
        words = np.array(chunks.to_pylist(), object)
        if missing is not None:
            words[missing] = ""
        return Cells(words, missing)
    if types.is_decimal(kind):
        chunks = chunks.cast(arrow.float64())
    elif not (types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind)):
        raise DataError(file, f"this holds {kind}", "store numbers", column=name)
    elif missing is not None and not types.is_floating(kind):
        # Of whole numbers with holes pyarrow would make doubles, which do not hold all of them.
        chunks = chunks.fill_null(arrow.scalar(0 if types.is_integer(kind) else False, chunks.type))
    array = chunks.chunk(0).to_numpy(zero_copy_only=False) if chunks.num_chunks == 1 else chunks.to_numpy()
    return Cells(from_array(file, name, array).array, missing)


def _dictionary(chunks: Any, file: str, name: str) -> Cells:
    """Words in the order of their dictionary; a dictionary of numbers is the numbers."""
    kind = chunks.type.value_type
    plain = _cells(chunks.cast(kind), file, name)
    if str(kind) not in WORDS:
        return plain
    words = [word for chunk in chunks.unify_dictionaries().chunks[:1] for word in chunk.dictionary.to_pylist()]
    order = tuple(word for word in words if word is not None)
    return Cells(plain.array, plain.missing, order)


def _lists(chunks: Any, file: str, name: str) -> Cells:
    """Lists of one length, as another axis."""
    arrow = _pyarrow(file)
    if chunks.null_count:
        at = (int(np.argmax(chunks.is_null().to_numpy())),)
        raise DataError(file, "there is no list here", "leave the row out, or fill it", column=name, at=at)
    compute = _pyarrow(file, "compute")
    lengths = compute.list_value_length(chunks).to_numpy()
    length = int(lengths[0]) if len(lengths) else 0
    other = np.flatnonzero(lengths != length)
    if len(other):
        what = f"the list here has {lengths[other[0]]} values, and the first has {length}"
        raise DataError(file, what, "lists of one length make an axis", column=name, at=(int(other[0]),))
    inner = _cells(
        arrow.chunked_array([chunk.flatten() for chunk in chunks.chunks], chunks.type.value_type), file, name
    )
    shape = (len(lengths), length, *inner.array.shape[1:])
    missing = None if inner.missing is None else inner.missing.reshape(shape)
    return Cells(inner.array.reshape(shape), missing)


def _readable(path: Path) -> None:
    """The refusal of the operating system, where there is one, before a library puts it into words of its own."""
    with path.open("rb"):
        pass


def _pyarrow(file: str, room: str | None = None) -> Any:
    """pyarrow, or a module of it; DataError where it is not installed."""
    from importlib import import_module

    try:
        return import_module("pyarrow" if room is None else f"pyarrow.{room}")
    except ImportError as error:
        raise DataError(file, "this is read by pyarrow, which is not installed", "pip install 'gradc[data]'") from error
