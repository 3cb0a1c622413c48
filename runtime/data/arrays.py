"""`.npy` and `.npz`: arrays by name, mapped into memory where they lie in a file of their own.

Takes a path; gives columns of any number of axes. Nothing is ever unpickled, and nothing is unpacked that claims to be
far larger than what it is packed into.
"""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ..errors import DataError
from .columns import Array, ArrayColumn, Cells, Column, from_array

PLAIN = "write it again with numpy.save or numpy.savez; objects are never read, since reading them runs code"
BROKEN = "this is not a file of plain arrays, or a part of one"

DAMAGED = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What a damaged archive raises, wherever the damage is."""

LARGE, RATIO = 2**30, 200
"""Bytes, and times what it is packed into: what is larger in both is not unpacked."""


def read_npy(path: Path) -> list[Column]:
    """The one array of a file, under the file's stem, not read before its numbers are used."""
    file = str(path)
    # A missing file is told at once, a broken one too.
    with path.open("rb") as stream:
        try:
            shape, _, dtype = _head(stream)
        except (ValueError, EOFError) as error:
            raise DataError(file, BROKEN, PLAIN) from error
        held = path.stat().st_size - stream.tell()
    if dtype.hasobject:
        raise DataError(file, "this array holds objects of Python", PLAIN)
    wanted = dtype.itemsize * _size(shape)
    if held < wanted:
        what = f"this file ends early: the array needs {wanted} bytes, and {held} are there"
        raise DataError(file, what, "copy it again")
    return [ArrayColumn(file, path.stem, partial(_mapped, path))]


def read_npz(path: Path) -> list[Column]:
    """The arrays of an archive, each read when it is used."""
    file = str(path)
    columns: list[Column] = []
    with path.open("rb"):
        pass
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if entry.file_size > LARGE and entry.file_size > RATIO * max(entry.compress_size, 1):
                    what = f"this array of {entry.file_size} bytes is packed into {entry.compress_size}"
                    raise DataError(file, what, "if it is meant, store it with numpy.save", column=name)
                with archive.open(entry) as stream:
                    shape, _, dtype = _head(stream)
                if dtype.hasobject:
                    raise DataError(file, "this array holds objects of Python", PLAIN, column=name)
                if dtype.itemsize * _size(shape) > entry.file_size:
                    raise DataError(file, "this array ends early", "write the file again", column=name)
                columns.append(ArrayColumn(file, name, partial(_packed, path, entry.filename, name)))
    except DataError:
        raise
    except DAMAGED as error:
        raise DataError(file, BROKEN, PLAIN) from error
    if not columns:
        raise DataError(file, "there is no array in this file", "write it again with numpy.savez")
    return columns


def _packed(path: Path, entry: str, name: str) -> Cells:
    """One array of an archive."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as stream:
            array = npy.read_array(stream, allow_pickle=False)
    except DAMAGED as error:
        what = "this array cannot be unpacked: the file is damaged"
        raise DataError(str(path), what, "copy it again", column=name) from error
    return from_array(str(path), name, array)


def _mapped(path: Path) -> Cells:
    """The array as it lies in the file; one without numbers cannot be mapped."""
    try:
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        found = np.load(path, allow_pickle=False)
    return from_array(str(path), path.stem, found)


def _head(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type, as an array's file begins. ValueError where it does not."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        found: tuple[tuple[int, ...], bool, np.dtype[Any]] = read(stream)
    except (TokenError, SyntaxError, TypeError) as error:
        raise ValueError(str(error)) from error
    return found


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
