"""The folder of a training: what is in it, how it is written while the training goes, and how the training goes on.

Takes a folder; gives `RunFolder`, through which a training writes, and `load`, which finds its last whole checkpoint.
Each file but `metrics.jsonl` appears whole or not at all; a checkpoint knows how much of that one was written before
it. docs/runs.md describes the files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from gradc.failures import Failure
from gradc.files import cannot, refuse_foreign, refuse_special, replace, settle, sweep, write_arrays, write_text
from gradc.fitted import PARAMETERS, RUN, SCHEMA, module_of, text_of

if TYPE_CHECKING:
    import numpy.typing as npt

METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
LAST, BEFORE, BEST = "last.checkpoint", "before.checkpoint", "best.checkpoint"
CURVES = ("loss.png", "loss.svg")

RUNNING = "running"
"""The status of a training that is under way, or was when the machine stopped."""

KNOWN = frozenset("module module_sha256 metrics run arguments environments epoch theta best regular".split())
"""What the checkpoint of a training has at least."""

BROKEN_OFF = (RUNNING, "interrupted")


_ENCODED = json.JSONEncoder(allow_nan=False).encode


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was read: its state, the module, and why a later one was not taken, where there was one."""

    name: str
    state: dict[str, Any]
    module: ModuleType
    text: str
    damaged: str | None


class Lines:
    """A file that only grows: a JSON document on each line, and a checksum of all that was written."""

    def __init__(self, path: Path, keep: int = 0) -> None:
        """Begin behind the first `keep` bytes of what is there."""
        self._path = path
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            self._file = os.fdopen(handle, "r+b")
            self._hash, self._size = _begun(self._file, keep)
            self._file.truncate(keep)
            self._file.seek(keep)
        except OSError as error:
            raise cannot(f"write {path}", error) from error

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write a line; it is on the disk after `settle`."""
        line = _ENCODED(entry).encode() + b"\n"
        self._size += len(line)
        self._hash.update(line)
        try:
            self._file.write(line)
        except OSError as error:
            raise cannot(f"write {self._path}", error) from error

    def show(self) -> None:
        """Let others see what was written."""
        try:
            self._file.flush()
        except OSError as error:
            raise cannot(f"write {self._path}", error) from error

    def settle(self) -> dict[str, Any]:
        """Have all lines on the disk; their length in bytes and their checksum."""
        self.show()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot(f"write {self._path}", error) from error
        return {"bytes": self._size, "sha256": self._hash.hexdigest()}

    def close(self) -> None:
        """Leave the file; that something cannot be written any more was told before."""
        with suppress(OSError):
            self._file.close()


class RunFolder:
    """The folder that a training writes; `module` is the name of the module's file."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder, self.module = folder, module
        self.lines: Lines | None = None
        self._last_is_regular = False
        self._held: int | None = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *error: object) -> None:
        if self.lines is not None:
            self.lines.close()
        if self._held is not None:
            os.close(self._held)

    # ------------------------------------------------------------------------------------------------------- begin

    def prepare(self, force: bool) -> None:
        """Make the folder, and be sure before a long training that everything can be written there.

        Failure where something that is not ours is in the way, or, unless forced, a training that was broken off.
        """
        checkpoints = self.folder / CHECKPOINTS
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot(f"make the folder {self.folder}", error) from error
        refuse_foreign(self.folder / self.module, force=False)
        names = (PARAMETERS, METRICS, RUN, *CURVES)
        for path in (*(self.folder / name for name in names), *(checkpoints / n for n in (LAST, BEFORE, BEST))):
            refuse_special(path)
        try:
            checkpoints.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot(f"make the folder {checkpoints}", error) from error
        self._hold(checkpoints)
        status = self._status()
        if not force and status in BROKEN_OFF and any((checkpoints / name).exists() for name in (LAST, BEFORE)):
            raise Failure(
                "file",
                f"{self.folder} has a training that was broken off",
                "--resume goes on with it, --force begins anew",
                {"status": status},
            )
        try:
            sweep(self.folder, (*names, self.module))
            sweep(checkpoints, (LAST, BEFORE, BEST))
        except OSError as error:
            raise cannot(f"write in {self.folder}", error) from error

    def _hold(self, checkpoints: Path) -> None:
        """Be the only one to write here, until this process ends in whatever way. Failure where another is."""
        try:
            import fcntl

            self._held = os.open(checkpoints, os.O_RDONLY)
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure("file", f"another training is writing in {self.folder}", "wait for it, or end it") from error
        except (ImportError, OSError):
            # Windows has no such lock, nor have some file systems.
            return

    def _status(self) -> str | None:
        """What run.json says of the training, None where it says nothing."""
        try:
            return str(json.loads(text_of(self.folder / RUN))["status"])
        except (Failure, ValueError, KeyError, TypeError, RecursionError):
            return None

    def begin(self, text: str, run: Mapping[str, Any]) -> None:
        """A new training: what another has left goes, and the module and run.json are written."""
        checkpoints = self.folder / CHECKPOINTS
        old = [checkpoints / name for name in (LAST, BEFORE, BEST)]
        self._remove([*old, *(self.folder / name for name in (PARAMETERS, *CURVES))])
        write_text(self.folder / self.module, text)
        self.describe(run)
        self.lines = Lines(self.folder / METRICS)
        try:
            settle(self.folder)
        except OSError as error:
            raise cannot(f"write in {self.folder}", error) from error

    def _remove(self, paths: Iterable[Path]) -> None:
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot(f"write in {self.folder}", error) from error

    def go_on(self, saved: Saved, run: Mapping[str, Any]) -> None:
        """The training of a checkpoint again: what was written after it goes."""
        # Where the last checkpoint was damaged or is missing, the one before it stays what it is.
        self._last_is_regular = saved.name == LAST and bool(saved.state["regular"])
        if saved.state["best"] is None:
            self._remove([self.folder / CHECKPOINTS / BEST])
        self.describe(run)
        self.lines = Lines(self.folder / METRICS, saved.state["metrics"]["bytes"])

    # --------------------------------------------------------------------------------------------------- on the way

    def checkpoint(self, state: Mapping[str, Any], best: Mapping[str, Any] | None, regular: bool) -> None:
        """Write the last checkpoint, and the best where there is a new one.

        Only a regular checkpoint, which follows from the number of the epoch, becomes the one before the last: so what
        a training leaves does not depend on when it was broken off, or how long an epoch took. Failure where it cannot
        be written; then the one that was there is there.
        """
        assert self.lines is not None
        checkpoints = self.folder / CHECKPOINTS
        whole = {**state, "regular": regular, "metrics": self.lines.settle()}
        if best is not None:
            _write(checkpoints / BEST, best)
        _write(checkpoints / LAST, whole, checkpoints / BEFORE if self._last_is_regular else None)
        self._last_is_regular = regular

    def describe(self, run: Mapping[str, Any]) -> None:
        """Write run.json."""
        whole = {"schema": SCHEMA, **run}
        write_text(self.folder / RUN, json.dumps(whole, indent=2, allow_nan=False) + "\n")

    # --------------------------------------------------------------------------------------------------------- end

    def save(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write parameters.npz; all lines of metrics.jsonl are there."""
        assert self.lines is not None
        self.lines.show()
        write_arrays(self.folder / PARAMETERS, parameters)


def load(folder: Path) -> Saved | None:
    """The last whole checkpoint of a folder; None where there is none at all. Failure where none is whole.

    A checkpoint counts where the module and the beginning of metrics.jsonl are those that it was written with.
    """
    wrong = []
    for name in (LAST, BEFORE):
        path = folder / CHECKPOINTS / name
        if not path.exists():
            continue
        try:
            state = _read(path)
            _same_lines(folder / METRICS, state["metrics"], path)
            module, text = module_of(folder / str(state["module"]), str(state["module_sha256"]))
        except Failure as error:
            wrong.append(error)
            continue
        return Saved(name, state, module, text, wrong[0].message if wrong else None)
    if not wrong:
        return None
    more = "; ".join(dict.fromkeys(error.message for error in wrong))
    raise Failure(
        "file", f"{folder} has no checkpoint to go on from: {more}", "without --resume and with --force it begins anew"
    )


def _write(path: Path, state: Mapping[str, Any], keep: Path | None = None) -> None:
    from gradc.runtime import checkpoint

    def fill(file: BinaryIO) -> None:
        checkpoint.write(file, state)

    replace(path, fill, keep)


def _read(path: Path) -> dict[str, Any]:
    """The state in a file. Failure where it is not whole, or of something else."""
    from gradc.runtime import BadCheckpoint, checkpoint

    try:
        with path.open("rb") as file:
            state = checkpoint.read(file, str(path))
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    except BadCheckpoint as error:
        raise Failure("file", str(error)) from error
    if not state.keys() >= KNOWN:
        raise Failure("file", f"{path} is not the checkpoint of a training")
    if Path(str(state["module"])).name != state["module"]:
        raise Failure("file", f"{path} names a module outside its folder")
    return state


def _same_lines(path: Path, known: Mapping[str, Any], checkpoint: Path) -> None:
    """Raises Failure where metrics.jsonl does not begin as it did when the checkpoint was written."""
    try:
        with path.open("rb") as file:
            digest, size = _begun(file, known["bytes"])
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    if size != known["bytes"] or digest.hexdigest() != known["sha256"]:
        raise Failure("file", f"{path} is not the one that {checkpoint} goes with")


def _begun(file: BinaryIO, most: int) -> tuple[hashlib._Hash, int]:
    """The checksum of the first `most` bytes of a file, and how many there are."""
    digest, size = hashlib.sha256(), 0
    while part := file.read(min(most - size, 1 << 20)):
        digest.update(part)
        size += len(part)
    return digest, size
