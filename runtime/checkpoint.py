"""A checkpoint as bytes: what a training needs to go on, with the format's version and a checksum inside; no pickle.

Takes a state, which is made of dictionaries with words as keys, lists, numbers, words, None and arrays, and a binary
file; gives the state back to the bit, tuples as lists. A file that was cut, changed, or is something else is refused as
a whole, before anything in it is believed.

The file is a line with the format and its version, a line of JSON in which `{"": [type, shape]}` stands for an array,
the bytes of the arrays in the order of the JSON, and the SHA-256 of all of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .errors import BadCheckpoint

NAME = b"gradc checkpoint "
VERSION = b"1"
FIRST = NAME + VERSION + b"\n"
ARRAY = ""
"""The key under which an array is described; no name is empty."""

DIGEST = hashlib.sha256().digest_size


def write(file: BinaryIO, state: Mapping[str, Any]) -> None:
    """Write the state; equal states give equal bytes. TypeError for what a state cannot hold."""
    arrays: list[npt.NDArray[Any]] = []
    line = json.dumps(_described(state, arrays), separators=(",", ":")).encode() + b"\n"
    digest = hashlib.sha256()
    parts: list[Any] = [FIRST, line, *(array.reshape(-1).view(np.uint8).data for array in arrays if array.size)]
    for part in parts:
        digest.update(part)
        file.write(part)
    file.write(digest.digest())


def read(file: BinaryIO, name: str) -> dict[str, Any]:
    """The state that the file holds; `name` is the file's in what is said. BadCheckpoint where it is not whole."""
    whole = file.read()
    if not whole.startswith(NAME):
        raise BadCheckpoint(name, "is cut short" if NAME.startswith(whole) else "is not a checkpoint of gradc")
    body, digest = memoryview(whole)[:-DIGEST], whole[-DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise BadCheckpoint(name, "is damaged or cut short: its checksum does not match")
    if not whole.startswith(FIRST):
        raise BadCheckpoint(name, "is a checkpoint of another version of gradc")
    try:
        end = whole.index(b"\n", len(FIRST)) + 1
        rest = _Rest(body[end:])
        found = rest.restored(json.loads(whole[len(FIRST) : end]))
    except (ValueError, TypeError, RecursionError) as error:
        # The checksum is right, and yet: somebody made it by hand.
        raise BadCheckpoint(name, "is not a checkpoint of gradc") from error
    if not isinstance(found, dict) or rest.at != len(rest.of):
        raise BadCheckpoint(name, "is not a checkpoint of gradc")
    return found


def _described(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    """The value as JSON has it; its arrays are put behind the others."""
    match value:
        case Mapping():
            for key in value:
                if not isinstance(key, str) or key == ARRAY:
                    raise TypeError(f"a state has words as keys, and {key!r} is none")
            return {key: _described(entry, arrays) for key, entry in value.items()}
        case list() | tuple():
            return [_described(entry, arrays) for entry in value]
        case np.generic():
            return value.item()
        case np.ndarray():
            if value.dtype.kind not in "biuf":
                raise TypeError(f"a state has arrays of numbers, and not of {value.dtype}")
            # `ascontiguousarray` makes one axis of none.
            plain = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
            arrays.append(plain)
            return {ARRAY: [plain.dtype.str, list(plain.shape)]}
        case bool() | int() | float() | str() | None:
            return value
    raise TypeError(f"a state cannot hold {type(value).__name__}")


class _Rest:
    """The bytes of the arrays, taken one after another."""

    def __init__(self, of: memoryview) -> None:
        self.of, self.at = of, 0

    def restored(self, value: Any) -> Any:
        """What `_described` was given."""
        match value:
            case {"": [str(kind), [*shape]]}:
                return self._array(np.dtype(kind), tuple(map(int, shape)))
            case dict():
                return {key: self.restored(entry) for key, entry in value.items()}
            case list():
                return [self.restored(entry) for entry in value]
        return value

    def _array(self, kind: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        start, self.at = self.at, self.at + math.prod(shape) * kind.itemsize
        return np.frombuffer(self.of[start : self.at], kind).reshape(shape).astype(kind.newbyteorder("="))
