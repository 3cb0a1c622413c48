"""From files to a model's inputs.

Takes an emitted module, files and a mapping of inputs to columns; gives arrays by input. What a file holds is read by
the runtime; here is decided which of its columns an input is.
"""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc.compiler.source import nearest
from gradc.failures import Failure
from gradc.files import cannot

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Data:
    """What a command computes with: an array for each input, by name.

    `held_out` has the rows that are kept from a training, for validation, None where there are none. `vocabularies` has
    the words of each input that is made of words, in the order of their indices. `record` says where all of it came
    from, for run.json.
    """

    inputs: dict[str, npt.NDArray[Any]]
    held_out: dict[str, npt.NDArray[Any]] | None
    vocabularies: Mapping[str, Sequence[str]]
    record: Mapping[str, Any]


def take(module: ModuleType, arguments: Namespace, needed: Sequence[str]) -> Data:
    """The inputs in `needed` from the files that the options of `options.add_data` name. Failure ("data")."""
    inputs = read_data(module, arguments.data, arguments.map, needed)
    files = [{"file": path.name, "sha256": _digest(path)} for path in arguments.data]
    return Data(inputs, None, {}, {"data": files, "map": dict(arguments.map)})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_data(
    module: ModuleType, paths: Iterable[Path], mapping: Sequence[tuple[str, str]], needed: Sequence[str]
) -> dict[str, npt.NDArray[Any]]:
    """An array for each input in `needed`, and for others that the files have.

    `mapping` pairs an input with the column that holds it, or with several, `a,b,c`, which are stacked along the
    input's last axis. Failure ("data") where a file, a column or an input is missing, twice or of another shape.
    """
    columns, homes = _columns(paths)
    found: dict[str, npt.NDArray[Any]] = {}
    for name, column in mapping:
        if name not in module.INPUTS:
            near = nearest(name, module.INPUTS)
            help = f"did you mean {near}?" if near else f"the inputs are {', '.join(module.INPUTS)}"
            raise Failure("data", f"--map: the model has no input {name!a}", help)
        if name in found:
            raise Failure("data", f"--map: the input {name} is mapped twice")
        found[name] = _taken(name, column, columns, homes)
    for name in module.INPUTS:
        if name not in found and name in columns:
            found[name] = columns[name]
    for name in needed:
        if name not in found:
            raise _missing(name, columns, homes)
    return found


def _columns(paths: Iterable[Path]) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Path]]:
    """The columns of all files, and where each comes from."""
    from gradc.runtime import DataError, read_columns

    columns: dict[str, npt.NDArray[Any]] = {}
    homes: dict[str, Path] = {}
    for path in paths:
        try:
            read = read_columns(path)
        except DataError as error:
            raise Failure("data", str(error)) from error
        except OSError as error:
            raise cannot(f"read {path}", error) from error
        for name, array in read.items():
            if name in columns:
                raise Failure("data", f"{name!a} is in {homes[name]} and in {path}")
            columns[name], homes[name] = array, path
    return columns, homes


def _taken(name: str, column: str, columns: dict[str, npt.NDArray[Any]], homes: dict[str, Path]) -> npt.NDArray[Any]:
    """The column, or several of them side by side."""
    import numpy as np

    if column in columns:
        return columns[column]
    parts = [part.strip() for part in column.split(",")]
    for part in parts:
        if part not in columns:
            raise _missing(part, columns, homes)
    if len({columns[part].shape for part in parts}) > 1:
        shapes = ", ".join(f"{part} {columns[part].shape}" for part in parts)
        raise Failure("data", f"the columns for the input {name} have different shapes: {shapes}")
    return np.stack([columns[part] for part in parts], axis=-1)


def _missing(name: str, columns: dict[str, npt.NDArray[Any]], homes: dict[str, Path]) -> Failure:
    files = ", ".join(dict.fromkeys(str(path) for path in homes.values())) or "the data"
    near = nearest(name, columns)
    help = f"did you mean {near}? " if near else ""
    help += f"there are {', '.join(columns)}; --map {name}=COLUMN takes an input from another column"
    return Failure("data", f"there is no {name!a} in {files}", help, {"missing": name, "columns": list(columns)})
