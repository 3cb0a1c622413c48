"""What a training leaves in its folder, written and read back.

The folder holds the module, `parameters.npz` (each parameter and state under its name, as the model sees it),
`losses.csv` and `run.json`. Each file appears whole or not at all. A module that is read back is walked against the
compiler's allow-list before it runs, and must be the one that `run.json` names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc.failures import Failure
from gradc.files import cannot, refuse_foreign, refuse_special, write_arrays, write_text
from gradc.modules import load

if TYPE_CHECKING:
    import numpy.typing as npt

SCHEMA = 1
"""Of run.json; it changes when a field changes its meaning or goes."""

MOST = 100_000_000
"""Bytes of a module or a run.json that are read."""


@dataclass(frozen=True)
class Fitted:
    """A folder that was read back."""

    module: ModuleType
    parameters: dict[str, npt.NDArray[Any]]
    run: Mapping[str, Any]


def prepare(folder: Path, module: str) -> None:
    """Make the folder, and be sure before a long training that the files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot(f"make the folder {folder}", error) from error
    refuse_foreign(folder / module, force=False)
    for name in ("parameters.npz", "losses.csv", "run.json"):
        refuse_special(folder / name)


def save(
    folder: Path,
    module: tuple[str, str],
    parameters: Mapping[str, npt.NDArray[Any]],
    losses: Mapping[str, Sequence[float]],
    run: Mapping[str, Any],
) -> None:
    """Write everything; `module` is its file's name and its text, `losses` has a column for each objective.

    run.json goes last: it vouches for the rest.
    """
    name, text = module
    write_text(folder / name, text)
    write_arrays(folder / "parameters.npz", parameters)
    rows = zip(*losses.values(), strict=True)
    lines = [",".join(["epoch", *losses]), *(",".join([str(i), *map(repr, row)]) for i, row in enumerate(rows, 1))]
    write_text(folder / "losses.csv", "".join(f"{line}\n" for line in lines))
    whole = {"schema": SCHEMA, **run, "module": name, "module_sha256": _digest(text)}
    write_text(folder / "run.json", json.dumps(whole, indent=2, allow_nan=False) + "\n")


def read(folder: Path) -> Fitted:
    """Read a folder back. Failure where something is missing, changed or not what gradc writes."""
    from gradc.compiler.emit.allowed import Refused, verify

    run = _run(folder)
    path = folder / str(run["module"])
    text = _text(path)
    if _digest(text) != run["module_sha256"]:
        raise Failure("file", f"{path} is not the module that was trained", "train again, or restore it")
    try:
        verify(text)
    except (Refused, SyntaxError, ValueError, RecursionError) as error:
        raise Failure("file", f"{path} is not a module that gradc writes, and is not run") from error
    return Fitted(load(text, path.stem), read_parameters(folder / "parameters.npz"), run)


def read_parameters(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz file, by name."""
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise Failure("file", f"{path} is not an .npz file")
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise Failure("file", f"{path} is not an .npz file of plain arrays") from error


def _run(folder: Path) -> Mapping[str, Any]:
    path = folder / "run.json"
    try:
        run = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise Failure("file", f"{path} is not JSON") from error
    wanted = ("module", "module_sha256")
    if not isinstance(run, dict) or run.get("schema") != SCHEMA or not all(isinstance(run.get(w), str) for w in wanted):
        raise Failure("file", f"{path} was not written by this version of gradc")
    if Path(run["module"]).name != run["module"]:
        raise Failure("file", f"{path} names a module outside its folder")
    return run


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST).decode()
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    except UnicodeDecodeError as error:
        raise Failure("file", f"{path} is not a text") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
