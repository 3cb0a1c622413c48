"""All the columns of several sources, by name.

Takes paths and frames; gives `Catalogue`, in which a column is found by its name, several by a list or a prefix. A name
that is in two sources is a mistake only where it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DataError
from .arrays import read_npy, read_npz
from .arrow import read_arrow, read_parquet
from .columns import Column
from .frames import read_frame
from .hdf5 import read_hdf5
from .text import read_text

READERS: Mapping[str, Callable[[Path], list[Column]]] = {
    ".csv": partial(read_text, delimiter=","),
    ".txt": partial(read_text, delimiter=","),
    "": partial(read_text, delimiter=","),
    ".tsv": partial(read_text, delimiter="\t"),
    ".npy": read_npy,
    ".npz": read_npz,
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".arrow": read_arrow,
    ".feather": read_arrow,
    ".ipc": read_arrow,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".hdf": read_hdf5,
}
"""How a file is read, by the end of its name."""

ELSEWHERE = {
    ".xlsx": "save the sheet as .csv",
    ".xls": "save the sheet as .csv",
    ".ods": "save the sheet as .csv",
    ".gz": "unpack it with gunzip first",
    ".zip": "unpack it first",
    ".pkl": "write it as .parquet; objects are never read, since reading them runs code",
    ".pickle": "write it as .parquet; objects are never read, since reading them runs code",
    ".pt": "write it with numpy.save; objects are never read, since reading them runs code",
}
"""What to do about a file of another kind."""

Source = str | os.PathLike[str] | Any
"""A path, or an object that has columns by name."""


def open_sources(data: Source | Sequence[Source]) -> Catalogue:
    """The columns of a source, or of several. DataError; OSError where a file cannot be opened."""
    several = list(data) if isinstance(data, list | tuple) else [data]
    columns: dict[str, list[Column]] = {}
    names: list[str] = []
    for source in several:
        found = _open(Path(source)) if isinstance(source, str | os.PathLike) else read_frame(source)
        names.append(str(source) if isinstance(source, str | os.PathLike) else "the data")
        for column in found:
            columns.setdefault(column.name, []).append(column)
    return Catalogue(columns, tuple(dict.fromkeys(names)))


def _open(path: Path) -> list[Column]:
    suffix = path.suffix.lower()
    if path.is_dir():
        raise DataError(str(path), "this is a folder", "name the files in it, one by one")
    if path.exists() and not path.is_file():
        raise DataError(str(path), "this is no regular file", "write the data to one")
    if suffix not in READERS:
        known = "give a .csv, .tsv, .parquet, .arrow, .npy, .npz or .h5 file"
        raise DataError(str(path), f"a {suffix} file is not read", ELSEWHERE.get(suffix, known))
    return READERS[suffix](path)


@dataclass(frozen=True)
class Part:
    """What an input is made of: a column, or several that are stacked along its last axis."""

    columns: tuple[Column, ...]
    stacked: bool

    @property
    def names(self) -> str | list[str]:
        """The columns' names, as a mapping has them."""
        return [column.name for column in self.columns] if self.stacked else self.columns[0].name

    def bare(self) -> Part:
        """The part without what its columns hold, which still knows their places."""
        return Part(tuple(column.bare() for column in self.columns), self.stacked)

    def at(self, index: tuple[int, ...]) -> tuple[Column, tuple[int, ...]]:
        """The column that holds a place of the input, and the place there."""
        return (self.columns[index[-1]], index[:-1]) if self.stacked else (self.columns[0], index)

    def wrong(self, index: tuple[int, ...] | None, what: str, remedy: str, option: str | None = None) -> DataError:
        """A mistake at a place of the input, or in all of it."""
        if index is None:
            error = self.columns[0].wrong(None, what, remedy, option)
            if self.stacked and len(self.columns) > 1:
                error.column = f"{self.columns[0].name} ... {self.columns[-1].name}"
            return error
        column, at = self.at(index)
        return column.wrong(at, what, remedy, option)


@dataclass(frozen=True)
class Catalogue:
    """Columns by name; several under one name are in several sources. `sources` are what these are called."""

    columns: Mapping[str, Sequence[Column]]
    sources: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether there is a column of this name, or columns `name[0]`, `name[1]`, ..."""
        return name in self.columns or bool(self._numbered(name))

    def by_name(self, name: str) -> Part:
        """The column of this name, or the columns `name[0]`, `name[1]`, ... side by side."""
        numbered = self._numbered(name)
        if not numbered:
            return Part((self._one(name, name),), False)
        if name in self.columns:
            first = self.columns[name][0]
            raise DataError(first.file, f"there are a column {name!r} and columns {name}[0], ...", "rename one")
        missing = next((i for i in range(len(numbered)) if i not in numbered), None)
        if missing is not None:
            some = self._one(f"{name}[{min(numbered)}]", name)
            what = f"the column {name}[{missing}] is missing"
            raise DataError(some.file, what, "columns of an array count from 0")
        return Part(tuple(self._one(f"{name}[{i}]", name) for i in range(len(numbered))), True)

    def by_map(self, name: str, wanted: str | Sequence[str]) -> Part:
        """The columns that a mapping gives the input `name`: `a`, `a,b`, `[a, b]`, `a_*`, or names in a list."""
        if not isinstance(wanted, str):
            return Part(tuple(self._one(str(column), name) for column in wanted), True)
        if self.has(wanted):
            return self.by_name(wanted)
        listed = re.fullmatch(r"\[(.*)\]", wanted.strip())
        words = [word.strip() for word in (listed[1] if listed else wanted).split(",")]
        if len(words) == 1 and not listed and not words[0].endswith("*"):
            return Part((self._one(words[0], name),), False)
        columns: list[Column] = []
        for word in words:
            if word in self.columns or not word.endswith("*"):
                columns.append(self._one(word, name))
                continue
            found = sorted((column for column in self.columns if column.startswith(word[:-1])), key=_natural)
            if not found:
                raise self._missing(word, name, f"no column begins with {word[:-1]!r}")
            columns += [self._one(column, name) for column in found]
        return Part(tuple(columns), True)

    def _numbered(self, name: str) -> dict[int, str]:
        found = ((re.fullmatch(r"(.+)\[(\d+)\]", column), column) for column in self.columns)
        return {int(match[2]): column for match, column in found if match and match[1] == name}

    def _one(self, column: str, need: str) -> Column:
        homes = self.columns.get(column, ())
        if not homes:
            raise self._missing(column, need, f"there is no column {column!r}")
        if len(homes) > 1:
            where = " and in ".join(home.file for home in homes[:2])
            raise DataError(None, f"there is a column {column!r} in {where}", "rename one, or give one of the files")
        return homes[0]

    def _missing(self, column: str, need: str, what: str) -> DataError:
        inside = [name for name in self.columns if name.startswith(f"{column}/")]
        if inside:
            what = f"{column!r} is a group, and no column"
        behind = next((name for name in self.columns if name.rpartition("/")[2] == column), None)
        near = behind or next(iter(inside), None) or nearest(column.removesuffix("*"), self.columns)
        remedy = f"did you mean {near!r}? " if near else ""
        names = list(self.columns)
        told = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
        remedy += f"there are {told}" if names else "there are none"
        return DataError(", ".join(self.sources) or None, what, remedy, option="map", need=need)


LISTED = 20
"""Columns that a message lists."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that is spelt most like `word`, if one is close; the same for any order of the candidates."""
    others = sorted(set(candidates) - {word})
    folded = {candidate.lower(): candidate for candidate in reversed(others)}
    if word.lower() in folded:
        return folded[word.lower()]
    found = get_close_matches(word, others, n=1, cutoff=0.6)
    return found[0] if found else None


def _natural(name: str) -> tuple[list[str | int], str]:
    """A key by which sensor_2 comes before sensor_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)], name
