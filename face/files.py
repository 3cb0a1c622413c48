"""Files that the commands write: each appears whole or not at all, and none that is not ours is lost.

Takes a path and what to write; raises `Failure` ("file") where it cannot be done.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gradc.failures import Failure

if TYPE_CHECKING:
    import numpy.typing as npt

MARK = '"""A model, compiled by gradc'
"""How every emitted module begins."""


def write_text(path: Path, text: str) -> None:
    """The text, in UTF-8 with line ends as they stand; on any failure what was there before stays."""
    replace(path, lambda file: file.write(text.encode()))


def replace(path: Path, fill: Callable[[BinaryIO], object], keep: Path | None = None) -> None:
    """The file that `fill` writes, put in place of `path` in one step, and there even if the machine stops after it.

    What was there before goes to `keep`, once the new file is whole.
    """
    refuse_special(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise cannot(f"write {path}", error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(path))
        if keep is not None and path.exists():
            path.replace(keep)
        temporary.replace(path)
        settle(path.parent)
    except OSError as error:
        raise cannot(f"write {path}", error) from error
    finally:
        temporary.unlink(missing_ok=True)


def settle(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        # Windows opens no folders, and some folders may be written and not read.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove what `replace` has left of files of these names where the machine stopped in the middle."""
    for name in names:
        for path in folder.glob(f".{name}.????????.tmp"):
            path.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """An .npz file of the arrays under any names; the same arrays give the same bytes."""
    import numpy as np

    def fill(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)

    replace(path, fill)


def _mode(path: Path) -> int:
    """The mode of the file that is replaced, or that of a new one under the user's mask."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def refuse_special(path: Path) -> None:
    """A link, a folder or a device is not written over."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Failure("file", f"{path} is not a regular file, and is left as it is")


def refuse_foreign(path: Path, force: bool) -> None:
    """A file that gradc did not write is not written over, unless forced."""
    refuse_special(path)
    if path.exists() and not force and not generated(path):
        raise Failure(
            "file", f"{path} was not written by gradc, and is left as it is", "--force writes over it; -o names another"
        )


def generated(path: Path) -> bool:
    """Whether the file begins as an emitted module does."""
    try:
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK.encode()
    except OSError as error:
        raise cannot(f"read {path}", error) from error


def cannot(what: str, error: OSError) -> Failure:
    """The operating system's refusal, in words."""
    return Failure("file", f"cannot {what}: {error.strerror or error}")
