"""From the command line's words to a model's inputs.

Takes an emitted module and the options of `options.add_data`; gives `Data`. Files are read, and fitted to the model, by
the runtime; here its mistakes become failures, and what was read is recorded for the next command.
"""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc.failures import Failure
from gradc.files import cannot

if TYPE_CHECKING:
    from gradc.runtime import DataError
    from gradc.runtime.data import Data

WAYS_OUT = {
    "on_nan": "--on-nan drop leaves such rows out",
    "map": "--map {}=COLUMN takes an input from another column",
    "columns": "--map {}=A,B,C stacks columns along its last axis",
}
"""Options that are another way out of a mistake in the data."""


def take(
    module: ModuleType, arguments: Namespace, needed: Sequence[str], trained: Mapping[str, Any] | None = None
) -> Data:
    """The inputs in `needed` from the files that the options of `options.add_data` name.

    `trained` is the record of a training whose columns and words hold where the options say nothing else. The
    `record` of what is given has the files and their digests besides. Failure ("data", or "file").
    """
    from gradc.runtime import DataError, read_data

    before = trained or {}
    given = {name for name, _ in arguments.map}
    kept = [(name, columns) for name, columns in before.get("map", {}).items() if name in needed and name not in given]
    validation = getattr(arguments, "validation", None)
    try:
        data = read_data(
            module,
            arguments.data,
            map=[*kept, *arguments.map],
            needed=needed,
            on_nan=arguments.on_nan,
            vocabularies=before.get("vocabularies"),
            validation=validation,
            seed=getattr(arguments, "seed", 0),
        )
    except DataError as error:
        raise failure(error) from error
    except OSError as error:
        raise cannot(f"read {error.filename or 'the data'}", error) from error
    record = {"data": _files(arguments.data), **data.record}
    if isinstance(validation, Path):
        record["validation"] = {"data": _files([validation]), **record["validation"]}
    return replace(data, record=record)


def failure(error: DataError) -> Failure:
    """A mistake in the data, with the option that is another way out of it."""
    help = error.remedy
    if error.option is not None:
        help += "; " + WAYS_OUT[error.option].format(error.need)
    place = {"file": error.file, "line": error.line, "at": error.at, "column": error.column}
    return Failure("data", error.message, help, {key: value for key, value in place.items() if value is not None})


def _files(paths: Iterable[Path]) -> list[dict[str, str]]:
    return [{"file": path.name, "sha256": _digest(path)} for path in paths]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
