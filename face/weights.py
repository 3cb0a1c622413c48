"""Parameters as safetensors files, which PyTorch, JAX and others read and write: out of a session and into it.

Takes a path and a session, or arrays by name; writes and reads each parameter and state under its name, as the model
sees it. Files are read and written by the `safetensors` library, and nothing in them is run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc.failures import Failure
from gradc.files import cannot, refuse_special, replace
from gradc.runtime.errors import DataError, ParametersDiffer

if TYPE_CHECKING:
    import numpy.typing as npt

    from gradc.runtime import Session
    from gradc.trained import Trained

    Array = npt.NDArray[Any]

TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
"""The types that NumPy has; BF16 is read as the upper half of a float32."""


def save_safetensors(path: str | os.PathLike[str], source: Session | Trained | Mapping[str, Any]) -> None:
    """Write the parameters and states of a session, of what `model.fit` gave, or arrays by name.

    The file appears whole or not at all; the same values give the same bytes. Raises ValueError for what is no array of
    numbers, OSError where the file cannot be written, ImportError without the `safetensors` extra.
    """
    import numpy as np

    library = _library()
    values = source if isinstance(source, Mapping) else source.values()
    arrays = {}
    for name, value in sorted(values.items()):
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        if array.dtype.newbyteorder("<").str.lstrip("|") not in TYPES.values():
            raise ValueError(f"{name!r} holds {array.dtype}, and a safetensors file holds numbers")
        arrays[name] = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data = library.numpy.save(arrays)
    try:
        _refuse_foreign(Path(path))
        replace(Path(path), lambda file: file.write(data))
    except Failure as error:
        raise OSError(error.message) from error


def load_safetensors(
    path: str | os.PathLike[str], session: Session | None = None, partial: bool = False
) -> dict[str, Array]:
    """The arrays of a file, by name; with a session its parameters and states become these.

    With `partial` the file may lack some, which stay as they are. Raises ParametersDiffer, which says what differs in
    names and shapes, before anything is changed; DataError for a file that is no safetensors file; OSError; the
    module's DataError for values that a bound does not allow; ImportError without the `safetensors` extra.
    """
    found = _read(Path(path))
    if session is not None:
        values = session.values()
        check_parameters(os.path.basename(path), found, values, partial)
        session.theta[...] = session.module.pack({**values, **found}, session.data)
    return found


def read_values(path: Path) -> dict[str, Array]:
    """The arrays of an .npz or .safetensors file, by name, as a command takes them in. Failure."""
    from gradc.fitted import read_parameters

    if path.suffix != ".safetensors":
        return read_parameters(path)
    try:
        return _read(path)
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    except (DataError, ImportError) as error:
        raise Failure("file", str(error)) from error


def check_parameters(file: str, found: Mapping[str, Array], wanted: Mapping[str, Array], partial: bool) -> None:
    """Raises ParametersDiffer where the arrays are not those wanted; with `partial` some may be missing."""
    missing = () if partial else tuple(name for name in wanted if name not in found)
    unknown = tuple(name for name in found if name not in wanted)
    shapes = tuple(
        (name, found[name].shape, wanted[name].shape)
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    )
    if missing or unknown or shapes:
        raise ParametersDiffer(file, missing, unknown, shapes, tuple(wanted))


def _read(path: Path) -> dict[str, Array]:
    import numpy as np

    library = _library()
    data = path.read_bytes()
    try:
        entries = library.deserialize(data)
    except library.SafetensorError as error:
        what = "this is not a safetensors file, or a part of one"
        raise DataError(path.name, what, "write it again with safetensors, or gradc.save_safetensors") from error
    found = {}
    for name, entry in entries:
        kind, shape = entry["dtype"], tuple(entry["shape"])
        if kind == "BF16":
            upper = np.frombuffer(entry["data"], "<u2").astype("<u4") << 16
            found[name] = upper.view("<f4").reshape(shape)
        elif kind in TYPES:
            found[name] = np.frombuffer(entry["data"], TYPES[kind]).reshape(shape).copy()
        else:
            raise DataError(path.name, f"{name!r} has the type {kind}, which NumPy lacks", "store it as F32")
    return dict(sorted(found.items()))


def _refuse_foreign(path: Path) -> None:
    """A file that is no safetensors file is not written over."""
    refuse_special(path)
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    if head and head[8:] != b"{":
        raise Failure("file", f"{path} is no safetensors file, and is left as it is", "name another file")


def _library() -> ModuleType:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "safetensors files need the library of that name: pip install 'gradc[safetensors]'"
        ) from error
    return safetensors
