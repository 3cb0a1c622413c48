"""The folder of a training read back, for those who predict with it.

Takes a folder; gives the module, the parameters and run.json. A module that is read back is walked against the
compiler's allow-list before it runs, and must be the one that was trained. What else is in the folder, and how it is
written, is in `runs`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc.failures import Failure
from gradc.files import cannot
from gradc.modules import load

if TYPE_CHECKING:
    import numpy.typing as npt

SCHEMA = 2
"""Of run.json; it changes when a field changes its meaning or goes."""

RUN, PARAMETERS = "run.json", "parameters.npz"

MOST = 100_000_000
"""Bytes of a module or a run.json that are read."""


@dataclass(frozen=True)
class Fitted:
    """A folder that was read back."""

    module: ModuleType
    parameters: dict[str, npt.NDArray[Any]]
    run: Mapping[str, Any]


def read(folder: Path) -> Fitted:
    """Read a folder back. Failure where something is missing, changed or not what gradc writes."""
    run = _run(folder)
    module, _ = module_of(folder / str(run["module"]), str(run["module_sha256"]))
    if run.get("status") == "running" and not (folder / PARAMETERS).exists():
        raise Failure("file", f"the training in {folder} is not done", "gradc train --resume goes on with it")
    return Fitted(module, read_parameters(folder / PARAMETERS), run)


def module_of(path: Path, digest: str) -> tuple[ModuleType, str]:
    """The module in a file, and its text. Failure where it is not the one of that digest, or none of ours."""
    from gradc.compiler.emit.allowed import Refused, verify

    text = text_of(path)
    if digest_of(text) != digest:
        raise Failure("file", f"{path} is not the module that was trained", "train again, or restore it")
    try:
        verify(text)
    except (Refused, SyntaxError, ValueError, RecursionError) as error:
        raise Failure("file", f"{path} is not a module that gradc writes, and is not run") from error
    return load(text, path.stem), text


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
    path = folder / RUN
    try:
        run = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise Failure("file", f"{path} is not JSON") from error
    wanted = ("module", "module_sha256")
    if not isinstance(run, dict) or run.get("schema") != SCHEMA or not all(isinstance(run.get(w), str) for w in wanted):
        raise Failure("file", f"{path} was not written by this version of gradc")
    if Path(run["module"]).name != run["module"]:
        raise Failure("file", f"{path} names a module outside its folder")
    return run


def text_of(path: Path) -> str:
    """What a file of text holds."""
    try:
        with path.open("rb") as file:
            return file.read(MOST).decode()
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    except UnicodeDecodeError as error:
        raise Failure("file", f"{path} is not a text") from error


def digest_of(text: str) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
